"""Failpoints: nothing unless armed; then exactly what was asked for."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from chassis import failpoints

REACHED = "import asyncio; from chassis import failpoints; asyncio.run(failpoints.reach('here')); print('passed')"


def reached(armed: str, **more: str) -> subprocess.CompletedProcess[str]:
    environ = {"FAILPOINTS": armed} | more
    return subprocess.run([sys.executable, "-c", REACHED], env=environ, capture_output=True, text=True, check=False)


async def test_nothing_happens_where_none_is_armed() -> None:
    await failpoints.reach("anything")


@pytest.mark.parametrize(("armed", "code"), [("here=kill", -signal.SIGKILL), ("here=raise", 1), ("there=kill", 0)])
def test_a_named_point_ends_or_fails_where_it_is_armed(armed: str, code: int) -> None:
    assert reached(armed).returncode == code


def test_a_hang_ends_after_its_seconds() -> None:
    assert reached("here=hang:0.01").stdout == "passed\n"


def test_a_hang_ends_when_it_is_armed_no_more(tmp_path: Path) -> None:
    file = tmp_path / "armed"
    file.write_text("here=hang:3600")
    environ = os.environ | {"FAILPOINTS": "", "FAILPOINTS_FILE": str(file)}
    with subprocess.Popen([sys.executable, "-c", REACHED], env=environ, stdout=subprocess.PIPE) as process:
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1)
        file.write_text("")
        assert process.communicate(timeout=240)[0] == b"passed\n"


def test_a_word_that_is_no_action_is_refused() -> None:
    assert "wanted NAME=kill" in reached("here=explode").stderr


def test_a_file_arms_them_too_from_when_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "armed"
    assert reached("", FAILPOINTS_FILE=str(file)).returncode == 0
    file.write_text("here=kill\n")
    assert reached("there=raise", FAILPOINTS_FILE=str(file)).returncode == -signal.SIGKILL
