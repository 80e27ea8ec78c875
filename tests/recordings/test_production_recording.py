"""The stand-in monolith answers as the real one did, step by step, and sends the same mails."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import pytest

from tests.recordings.conversation import DIFFERS, PRODUCTION, RUNNER, RecordedMail, log_in, play, recorded_mails
from tests.recordings.mail_sink import MailSink, mail_server, read_html
from tests.recordings.replay import Replay
from tests.recordings.running import running_monolith_on, running_runner
from tests.support.stores import EVERYWHERE

pytestmark = pytest.mark.walk
SAID_HEADERS = ("Content-Type", "From", "To", "Subject", "Content-Transfer-Encoding", "MIME-Version")
"""Of a mail; the others are its own: Date and Message-ID."""


@dataclass(frozen=True)
class Conversation:
    """What became of the recording: step → what differs, and the mails of this run."""

    differences: Mapping[str, list[str]]
    sink: MailSink
    replay: Replay


@pytest.fixture(scope="module", params=EVERYWHERE)
def conversation(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Conversation]:
    """The whole recording, played in order from a bare seed."""
    stores = request.param(tmp_path_factory.mktemp("monolith"))
    with mail_server() as (sink, smtp), running_runner(RUNNER) as runner:
        environ = PRODUCTION | smtp | {"RUNNER_API_URL": runner.url}
        with running_monolith_on(stores, environ=environ) as monolith:
            replay = Replay(monolith.url)
            log_in(replay)
            yield Conversation(play(replay, sink), sink, replay)
            replay.close()


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
