"""The stand-in monolith answers as the real one did, step by step, and sends the same mails."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.contracts.mail_sink import MailSink, ReceivedMail, mail_server, read_html
from tests.contracts.replay import Replay, Step, load
from tests.contracts.running import running_monolith_on, running_runner
from tests.stores import EVERYWHERE

RECORDING = Path(__file__).with_name("production.jsonl")
MAILS = Path(__file__).with_name("mails.jsonl")
PRODUCTION = {
    "NODE_ENV": "production",
    "AUTH_JWT_ISSUER": "https://api.polycode.do-2021.fr",
    "AUTH_JWT_AUDIENCE": "https://polycode.do-2021.fr",
    "PUBLIC_WWW_URL": "https://polycode.do-2021.fr",
}
RUNNER = {"RUNNER_TIMEOUT": "4000"}
VERIFICATION = "/email/verification/"
SAID_HEADERS = ("Content-Type", "From", "To", "Subject", "Content-Transfer-Encoding", "MIME-Version")
"""Of a mail; the others are its own: Date and Message-ID."""

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


@dataclass(frozen=True)
class Conversation:
    """What became of the recording: step → what differs, and the mails of this run."""

    differences: Mapping[str, list[str]]
    sink: MailSink
    replay: Replay


def recorded_mails() -> list[RecordedMail]:
    mails: list[RecordedMail] = []
    for line in map(json.loads, MAILS.read_text().splitlines()):
        (recipient,) = line["rcpt_tos"]
        nth = sum(mail.recipient == recipient for mail in mails)
        mails.append(RecordedMail(recipient, nth, line["headers"], tuple(line["visible_lines"]), tuple(line["links"])))
    return mails


@pytest.fixture(scope="module", params=EVERYWHERE)
def conversation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversation]:
    """The whole recording, played in order from a bare seed."""
    stores = request.param(tmp_path_factory.mktemp("monolith"))
    with mail_server() as (sink, smtp), running_runner(RUNNER) as runner:
        environ = PRODUCTION | smtp | {"RUNNER_API_URL": runner.url}
        with running_monolith_on(stores, environ=environ) as monolith:
            replay = Replay(monolith.url)
            yield Conversation(play(replay, sink), sink, replay)
            replay.close()


def play(replay: Replay, sink: MailSink) -> dict[str, list[str]]:
    steps = load(RECORDING)
    replay.bindings.bind(_recorded_token_of_admin(steps), replay.login("admin", "admin"))
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


def _recorded_token_of_admin(steps: list[Step]) -> str:
    """The recording logs admin in before its first step."""
    authorization = next(step for step in steps if step.name == "item-create").request.header("Authorization")
    assert authorization is not None
    return authorization.split()[1]


def test_every_step_is_answered_as_recorded(conversation: Conversation) -> None:
    wrong = {name: found for name, found in conversation.differences.items() if found and name not in DIFFERS}
    assert wrong == {}
    assert len(conversation.differences) == 387


def test_a_step_listed_as_different_does_differ(conversation: Conversation) -> None:
    assert [name for name in DIFFERS if not conversation.differences[name]] == []


def test_the_same_mails_are_sent(conversation: Conversation) -> None:
    recorded = recorded_mails()
    wrong = {mail: found for mail in recorded if (found := _differences(mail, conversation))}
    assert wrong == {}
    assert len(conversation.sink.mails) == len(recorded)


def _differences(recorded: RecordedMail, conversation: Conversation) -> list[str]:
    own = conversation.sink.to(recorded.recipient, recorded.nth + 1)[-1]
    headers = {name: str(value) for name, value in own.message.items()}
    lines, links = read_html(own.html)
    found = list(recorded.headers.keys() ^ headers.keys())
    found += [f"{name}: {headers[name]}" for name in SAID_HEADERS if headers[name] != recorded.headers[name]]
    found += conversation.replay.text_differences("lines", "\n".join(recorded.lines), "\n".join(lines))
    found += conversation.replay.text_differences("links", "\n".join(recorded.links), "\n".join(links))
    return found
