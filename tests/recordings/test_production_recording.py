"""The stand-in monolith and its runner answer as the real ones did, step by step, and send the same mails."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.recordings.conversation import PRODUCTION, RUNNER, log_in, mail_differences, play, recorded_mails
from tests.recordings.mail_sink import MailSink, mail_server
from tests.recordings.replay import Replay, load
from tests.recordings.running import running_monolith_on, running_runner
from tests.support.stores import EVERYWHERE

pytestmark = pytest.mark.walk
HEADERS = ("Content-Type", "From", "To", "Subject", "Content-Transfer-Encoding", "MIME-Version")
"""The headers of a mail that do not change from mail to mail, as Date and Message-ID do."""


@dataclass(frozen=True)
class Conversation:
    """The played recording: step → what differs, and the mails of this run."""

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
    assert {name: found for name, found in conversation.differences.items() if found} == {}
    assert len(conversation.differences) == 387


def test_the_same_mails_are_sent(conversation: Conversation) -> None:
    recorded = recorded_mails()
    for mail in recorded:
        own = conversation.sink.to(mail.recipient, mail.nth + 1)[-1]
        assert mail_differences(mail, own, conversation.replay, HEADERS) == []
        assert {*own.message.keys()} == mail.headers.keys()
    assert len(conversation.sink.mails) == len(recorded)


def test_every_run_is_answered_as_recorded() -> None:
    with running_runner(RUNNER) as runner:
        replay = Replay(runner.url)
        found = {step.name: replay.play(step) for step in load(Path(__file__).with_name("runner.jsonl"))}
        replay.close()
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
    assert len(found) == 15
