"""What a report of the spawner means: one status word."""

import signal
from collections.abc import Iterable
from typing import Final

from extracted.runner.sandbox.port import RunStatus
from extracted.runner.sandbox.spawner.messages import RunReport

_KILLED: Final = {
    "output": RunStatus.OUTPUT_LIMIT,
    "files": RunStatus.OUTPUT_LIMIT,
    "memory": RunStatus.MEMORY_LIMIT,
    "processes": RunStatus.PROCESS_LIMIT,
    "stopped": RunStatus.SANDBOX_ERROR,
    "cancelled": RunStatus.SANDBOX_ERROR,
}
"""By the reason for which the spawner killed a run; behind a limit of time may be a better reason."""
_OF_TIME: Final = {"time": RunStatus.TIME_LIMIT, "cpu": RunStatus.CPU_LIMIT}
_PROCESSOR_TIME: Final = frozenset({signal.SIGXCPU, signal.SIGKILL})


def status_of(report: RunReport, stderr: bytes, cpu_s: float, out_of_memory: Iterable[bytes]) -> RunStatus:
    """`cpu_s`: the limit. The first cause that was seen decides."""
    if report.error:
        return RunStatus.SANDBOX_ERROR
    if report.killed in _KILLED:
        return _KILLED[report.killed]
    if report.oom_kills:
        return RunStatus.MEMORY_LIMIT
    if not report.killed and report.exit_code == 0:
        return RunStatus.OK
    if report.forks_refused:
        return RunStatus.PROCESS_LIMIT
    if report.killed in _OF_TIME:
        return _OF_TIME[report.killed]
    return _own_end(report, stderr, cpu_s, out_of_memory)


def _own_end(report: RunReport, stderr: bytes, cpu_s: float, out_of_memory: Iterable[bytes]) -> RunStatus:
    """The program ended by itself or by a limit of the kernel's."""
    if report.signal in _PROCESSOR_TIME and report.cpu_ms >= cpu_s * 1000:
        return RunStatus.CPU_LIMIT
    if report.signal == signal.SIGXFSZ:
        return RunStatus.OUTPUT_LIMIT
    if any(words in stderr for words in out_of_memory):
        return RunStatus.MEMORY_LIMIT
    return RunStatus.RUNTIME_ERROR
