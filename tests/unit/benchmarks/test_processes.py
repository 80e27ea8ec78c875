"""Whatever interrupts a benchmark, it waits for the end of all that it has started."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from benchmarks.common.load import output_of
from benchmarks.common.processes import launch

SLEEP = "import time; time.sleep(60)"


@pytest.fixture(autouse=True)
def interruptible() -> Iterator[None]:
    """Ctrl-C as in a program of its own."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_an_interrupt_while_a_process_starts_comes_when_its_end_is_assured(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[bytes]] = []
    popen = subprocess.Popen

    def interrupted(*given: Any, **named: Any) -> subprocess.Popen[bytes]:
        started.append(popen(*given, **named))
        signal.raise_signal(signal.SIGINT)
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", interrupted)
    with pytest.raises(KeyboardInterrupt), ExitStack() as closing:
        launch(closing, [sys.executable, "-c", SLEEP], subprocess.DEVNULL, subprocess.DEVNULL)
    assert started[0].returncode == -signal.SIGTERM


def test_an_interrupted_load_waits_for_the_end_of_its_generator(tmp_path: Path) -> None:
    written = tmp_path / "pid"
    code = f"""
import os, pathlib, signal
pathlib.Path({str(written)!r}).write_text(str(os.getpid()))
os.kill(os.getppid(), signal.SIGINT)
{SLEEP}
"""
    with pytest.raises(KeyboardInterrupt):
        output_of([sys.executable, "-c", code], 30.0)
    with pytest.raises(ProcessLookupError):
        os.kill(int(written.read_text()), 0)
