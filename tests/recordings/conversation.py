"""The recorded conversation: its steps in order, its mails, and what the system has to be told for it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from tests.recordings.mail_sink import MailSink, ReceivedMail, read_html
from tests.recordings.replay import Replay, Step, load

MAILS = Path(__file__).with_name("mails.jsonl")
STEPS = tuple(load(Path(__file__).with_name("production.jsonl")))
PRODUCTION = {
    "NODE_ENV": "production",
    "AUTH_JWT_ISSUER": "https://api.polycode.do-2021.fr",
    "AUTH_JWT_AUDIENCE": "https://polycode.do-2021.fr",
    "PUBLIC_WWW_URL": "https://polycode.do-2021.fr",
}
RUNNER = {"RUNNER_TIMEOUT": "4000"}
VERIFICATION = "/email/verification/"

DIFFERS: dict[str, str] = {}
"""Steps that are not answered as recorded: name → reason."""


@dataclass(frozen=True)
class RecordedMail:
    recipient: str
    nth: int
    """Of those to this recipient, from 0."""
    headers: Mapping[str, str] = field(hash=False)
    lines: tuple[str, ...]
    links: tuple[str, ...]

    @property
    def token(self) -> str | None:
        return next((link.partition(VERIFICATION)[2] for link in self.links if VERIFICATION in link), None)


def recorded_mails() -> list[RecordedMail]:
    mails: list[RecordedMail] = []
    for line in map(json.loads, MAILS.read_text().splitlines()):
        (recipient,) = line["rcpt_tos"]
        nth = sum(mail.recipient == recipient for mail in mails)
        mails.append(RecordedMail(recipient, nth, line["headers"], tuple(line["visible_lines"]), tuple(line["links"])))
    return mails


def log_in(replay: Replay) -> str:
    """The token of admin, whom the recording logs in before its first step."""
    authorization = next(step for step in STEPS if step.name == "item-create").request.header("Authorization")
    assert authorization is not None
    own = replay.login("admin", "admin")
    replay.bindings.bind(authorization.split()[1], own)
    return own


def play(replay: Replay, sink: MailSink, steps: Iterable[Step] = STEPS) -> dict[str, list[str]]:
    """What differs, by the names of the steps; links come from the mails of this run."""
    mailed = {mail.token: mail for mail in recorded_mails() if mail.token}
    found: dict[str, list[str]] = {}
    for step in steps:
        for token in mailed.keys() & set(step.target.split("/")):
            own = sink.to(mailed[token].recipient, mailed[token].nth + 1)[-1]
            replay.bindings.bind(token, _token_of(own))
        assert step.name not in found
        found[step.name] = replay.play(step)
    return found


def _token_of(mail: ReceivedMail) -> str:
    _lines, links = read_html(mail.html)
    return next(link.partition(VERIFICATION)[2] for link in links if VERIFICATION in link)
