"""The stand-in's runner answers as the real one did."""

from pathlib import Path

import pytest

from tests.recordings.replay import Replay, load
from tests.recordings.running import running_runner

pytestmark = pytest.mark.walk

RECORDING = Path(__file__).with_name("runner.jsonl")


def test_every_run_is_answered_as_recorded() -> None:
    with running_runner({"RUNNER_TIMEOUT": "4000"}) as runner:
        replay = Replay(runner.url)
        found = {step.name: replay.play(step) for step in load(RECORDING)}
        replay.close()
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
    assert len(found) == 15
