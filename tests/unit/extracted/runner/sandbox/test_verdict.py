"""Which status word a report gets."""

import signal
from typing import Any

import pytest

from extracted.runner.sandbox.port import RunStatus
from extracted.runner.sandbox.spawner.messages import RunReport
from extracted.runner.sandbox.verdict import status_of

ENDED = {"exit_code": 0, "signal": None, "cpu_ms": 10, "wall_ms": 20, "peak_kb": 9_000}


@pytest.mark.parametrize(
    ("changes", "stderr", "expected"),
    [
        ({}, b"", RunStatus.OK),
        ({"exit_code": 1}, b"", RunStatus.RUNTIME_ERROR),
        ({"exit_code": None, "signal": signal.SIGSEGV}, b"", RunStatus.RUNTIME_ERROR),
        ({"exit_code": None, "signal": signal.SIGKILL, "killed": "time"}, b"", RunStatus.TIME_LIMIT),
        ({"exit_code": None, "signal": signal.SIGKILL, "killed": "output"}, b"", RunStatus.OUTPUT_LIMIT),
        ({"exit_code": 0, "killed": "output"}, b"", RunStatus.OUTPUT_LIMIT),  # it ended just before the kill
        ({"exit_code": None, "signal": signal.SIGKILL, "cpu_ms": 1_000}, b"", RunStatus.CPU_LIMIT),
        ({"exit_code": None, "signal": signal.SIGKILL, "cpu_ms": 10}, b"", RunStatus.RUNTIME_ERROR),
        ({"exit_code": None, "signal": signal.SIGKILL, "oom_kills": 1}, b"", RunStatus.MEMORY_LIMIT),
        ({"exit_code": 0, "oom_kills": 1}, b"", RunStatus.MEMORY_LIMIT),  # of a child
        ({"exit_code": 1}, b"Traceback\nMemoryError\n", RunStatus.MEMORY_LIMIT),
        ({"exit_code": 0}, b"MemoryError", RunStatus.OK),
        ({"exit_code": 1, "forks_refused": 3}, b"", RunStatus.PROCESS_LIMIT),
        ({"exit_code": 0, "forks_refused": 3}, b"", RunStatus.OK),  # it got along without
        ({"exit_code": None, "signal": 9, "killed": "time", "forks_refused": 3}, b"", RunStatus.PROCESS_LIMIT),
        ({"exit_code": None, "signal": 9, "killed": "cpu", "forks_refused": 3}, b"", RunStatus.PROCESS_LIMIT),
        ({"exit_code": None, "signal": 9, "killed": "cpu"}, b"", RunStatus.CPU_LIMIT),
        ({"exit_code": None, "signal": signal.SIGXFSZ}, b"", RunStatus.OUTPUT_LIMIT),
        ({"exit_code": 125, "error": "no such program"}, b"", RunStatus.SANDBOX_ERROR),
    ],
)
def test_the_first_cause_decides(changes: dict[str, Any], stderr: bytes, expected: RunStatus) -> None:
    report = RunReport(**{**ENDED, **changes})
    assert status_of(report, stderr, 1.0, (b"MemoryError",)) == expected
