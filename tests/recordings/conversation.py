"""The recorded conversation: its steps, its mails, and the settings of the recorded monolith."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from tests.recordings.mail_sink import MailSink, ReceivedMail, read_html
from tests.recordings.replay import Replay, Step, load
from tests.unit.extracted.services import TOKEN

MAILS = Path(__file__).with_name("mails.jsonl")
STEPS = tuple(load(Path(__file__).with_name("production.jsonl")))
PRODUCTION = {
    "NODE_ENV": "production",
    "AUTH_JWT_ISSUER": "https://api.polycode.do-2021.fr",
    "AUTH_JWT_AUDIENCE": "https://polycode.do-2021.fr",
    "PUBLIC_WWW_URL": "https://polycode.do-2021.fr",
}
RUNNER = {"RUNNER_TIMEOUT": "4000", "RUNNER_INTERNAL_TOKEN": TOKEN}
VERIFICATION = "/email/verification/"
DIFFERS = {
    name: ["header content-length is None"]
    for name in ("health-options", "preflight-delete", "preflight-no-headers", "preflight-bad-token")
}
"""Through a gateway: the monolith sends `Content-Length: 0` with a 204, which must not be forwarded (RFC 9110, 8.6)."""
OF_A_CONNECTION = frozenset({"connection", "keep-alive"})
"""Each hop has its own (RFC 9110, 7.6.1): the gateway keeps connections alive by its own rules."""


@dataclass(frozen=True)
class RecordedMail:
    recipient: str
    nth: int
    """Its place among the mails to this recipient, from 0."""
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
    """Logs in admin, as the recording does before its first step; returns the token."""
    authorization = next(step for step in STEPS if step.name == "item-create").request.header("Authorization")
    assert authorization is not None
    asked = {"grantType": "implicit", "identity": "admin", "secret": "admin"}
    answer = httpx.post(f"{replay.base_url}/auth/token", json=asked, trust_env=False).raise_for_status()
    own = str(answer.json()["data"]["accessToken"])
    replay.bindings.bind(authorization.split()[1], own)
    return own


def play(replay: Replay, sink: MailSink, steps: Iterable[Step] = STEPS) -> dict[str, list[str]]:
    """Plays the steps; returns what differs by step. Verification tokens come from the mails of this run."""
    mailed = {mail.token: mail for mail in recorded_mails() if mail.token}
    found: dict[str, list[str]] = {}
    for step in steps:
        for token in mailed.keys() & set(step.target.split("/")):
            own = sink.to(mailed[token].recipient, mailed[token].nth + 1)[-1]
            replay.bindings.bind(token, verification_token(own))
        assert step.name not in found
        found[step.name] = replay.play(step)
    return found


def mail_differences(
    recorded: RecordedMail, own: ReceivedMail, replay: Replay, headers: Iterable[str], dead_links: bool = True
) -> list[str]:
    """What differs in these headers, in the lines and in the links; the monolith's mails have a link to nowhere."""
    lines, links = read_html(own.html)
    old, new = (recorded.links, links) if dead_links else (_alive(recorded.links), sorted({*_alive(links)}))
    return [
        *(f"{name}: {own.message[name]}" for name in headers if str(own.message[name]) != recorded.headers[name]),
        *replay.text_differences("lines", "\n".join(recorded.lines), "\n".join(lines)),
        *replay.text_differences("links", "\n".join(old), "\n".join(new)),
    ]


def _alive(links: Iterable[str]) -> list[str]:
    return [link for link in links if link != "#"]


def verification_token(mail: ReceivedMail) -> str:
    _lines, links = read_html(mail.html)
    return next(link.partition(VERIFICATION)[2] for link in links if VERIFICATION in link)
