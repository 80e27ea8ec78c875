"""One run: from fork to the report, when nothing of it is left."""

import os
import signal
import time
from contextlib import suppress
from dataclasses import dataclass, field, replace
from math import inf
from typing import Final

from extracted.runner.sandbox.spawner import bubblewrap, gvisor, processes
from extracted.runner.sandbox.spawner.boxes import BoxFolder
from extracted.runner.sandbox.spawner.cgroups import Group
from extracted.runner.sandbox.spawner.child import Started
from extracted.runner.sandbox.spawner.messages import RunReport, RunRequest

_PROCESSORS: Final = os.cpu_count() or 1
_WATCH_S: Final = 0.02
"""How often memory and processes are looked at where no control group bounds them."""
_LEAST_S: Final = 0.01
_ENDED_EARLY: Final = "a process that was made ready ended before its program began"


def with_own_needs(request: RunRequest) -> RunRequest:
    """What all processes of the run may use together: the program all of its limits, its backend the rest."""
    if request.backend == "bubblewrap":
        return replace(request, processes=request.processes + bubblewrap.OWN_PROCESSES)
    if request.backend in gvisor.PLATFORMS:
        return replace(
            request,
            processes=request.processes * gvisor.THREADS_A_PROCESS + gvisor.OWN_PROCESSES,
            memory_bytes=request.memory_bytes + gvisor.OWN_MEMORY,
            cpu_s=request.cpu_s + gvisor.OWN_CPU_S,
        )
    return request


@dataclass(slots=True)
class Run:
    """Its process leads a session and a process group."""

    request: RunRequest
    """With its backend's own needs."""
    box: BoxFolder
    group: Group | None
    process: Started
    bounded_box: bool
    """Whether the box itself bounds its files."""
    held: bool
    """Its program has not begun."""
    started: float = field(default_factory=time.monotonic)
    next_look: float = 0.0
    killed: str = ""
    status: int | None = None
    """How the leader ended, as wait reports it."""
    wall_s: float = 0.0
    reaped_cpu_s: float = 0.0
    peak_kb: int = 0
    most_tasks: int = 0

    @property
    def pid(self) -> int:
        """Of its process."""
        return self.process.pid

    def release(self, wall_s: float) -> None:
        """Lets a held run begin."""
        with suppress(BrokenPipeError):  # it has ended: then it stays held, which is its report
            os.write(self.process.gate, b"1")
            self.request = replace(self.request, wall_s=wall_s)
            self.started, self.held = time.monotonic(), False

    def next_event(self) -> float:
        """When it must be looked at again."""
        return inf if self.killed or self.held else min(self.started + self.request.wall_s, self.next_look)

    def look(self, now: float, orphans: list[int], *, overfull: bool) -> None:
        """Kills it if it is beyond a limit."""
        if now >= self.started + self.request.wall_s:
            self.kill("time")
        elif now >= self.next_look:
            self._look_at_usage(now, orphans)
            if overfull:
                self.kill("files")

    def _look_at_usage(self, now: float, orphans: list[int]) -> None:
        cpu_s = self._usage_of_group() if self.group else self._usage_of_processes(orphans)
        if cpu_s >= self.request.cpu_s:
            self.kill("cpu")
        idle = max(_LEAST_S, (self.request.cpu_s - cpu_s) / _PROCESSORS)
        self.next_look = now + (idle if self.group and self.bounded_box else _WATCH_S)

    def _usage_of_group(self) -> float:
        assert self.group is not None
        return self.group.cpu_s()

    def _usage_of_processes(self, orphans: list[int]) -> float:
        usage = processes.usage([self.pid, *orphans])
        self.most_tasks = max(self.most_tasks, usage.tasks)
        if usage.tasks > self.request.processes:  # first: what many forks share is counted many times
            self.kill("processes")
        elif usage.memory_bytes > self.request.memory_bytes:
            self.kill("memory")
        return usage.cpu_s + self.reaped_cpu_s

    def kill(self, why: str) -> None:
        """Kills the leader and its process group; what changed its group is an orphan then."""
        if self.status is None:
            self.killed = self.killed or why
            self.kill_group()

    def kill_group(self) -> None:
        """Only while the leader has not been waited for: afterwards its number may be another's."""
        for kill in (os.kill, os.killpg):
            with suppress(ProcessLookupError, PermissionError):
                kill(self.pid, signal.SIGKILL)

    def reaped(self, pid: int, status: int, cpu_s: float, peak_kb: int) -> None:
        """A process of it was waited for."""
        self.reaped_cpu_s += cpu_s
        self.peak_kb = max(self.peak_kb, peak_kb)
        if pid == self.pid:
            self.status, self.wall_s = status, time.monotonic() - self.started

    def report(self) -> RunReport:
        """Only when no process is left."""
        assert self.status is not None
        os.close(self.process.gate)
        error = _drained(self.process.errors) or (_ENDED_EARLY if self.held else "")
        cpu_s = max(self.reaped_cpu_s, self.group.cpu_s() if self.group else 0)
        exit_code, number = _end(self.status, as_a_shell=self.request.backend != "plain")
        refused = self.group.forks_refused() if self.group else int(self.most_tasks >= self.request.processes)
        oom_kills = self.group.oom_kills() if self.group else 0
        return RunReport(
            exit_code=exit_code,
            signal=number,
            cpu_ms=round(cpu_s * 1000),
            wall_ms=round(self.wall_s * 1000),
            peak_kb=self.peak_kb,
            killed=self.killed,
            oom_kills=oom_kills,
            forks_refused=refused,
            error="" if self.killed or oom_kills or refused else error,  # a limit that ended it is the reason
        )


def _end(status: int, *, as_a_shell: bool) -> tuple[int | None, int | None]:
    """Exit code or signal. bubblewrap and runsc report a signal of their program as an exit code, as a shell does."""
    code = os.waitstatus_to_exitcode(status)
    if as_a_shell and 128 < code < 128 + signal.NSIG:
        return None, code - 128
    return (code, None) if code >= 0 else (None, -code)


def _drained(errors: int) -> str:
    with os.fdopen(errors, "rb") as file:
        return file.read(1_000).decode(errors="replace")
