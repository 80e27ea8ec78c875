"""Failpoints: nothing unless armed; then exactly what was asked for."""

import signal
import subprocess
import sys

import pytest

from chassis import failpoints

REACHED = "import asyncio; from chassis import failpoints; asyncio.run(failpoints.reach('here')); print('passed')"


def reached(armed: str) -> subprocess.CompletedProcess[str]:
    environ = {"FAILPOINTS": armed}
    return subprocess.run([sys.executable, "-c", REACHED], env=environ, capture_output=True, text=True, check=False)


async def test_nothing_happens_where_none_is_armed() -> None:
    await failpoints.reach("anything")


@pytest.mark.parametrize(("armed", "code"), [("here=kill", -signal.SIGKILL), ("here=raise", 1), ("there=kill", 0)])
def test_a_named_point_ends_or_fails_where_it_is_armed(armed: str, code: int) -> None:
    assert reached(armed).returncode == code


def test_a_hang_ends_after_its_seconds() -> None:
    assert reached("here=hang:0.01").stdout == "passed\n"


def test_a_word_that_is_no_action_is_refused() -> None:
    assert "wanted NAME=kill" in reached("here=explode").stderr
