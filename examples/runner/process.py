"""One run: a process with its own directory and limits, killed when its time is up."""

import asyncio
import os
import resource
import signal
from asyncio.subprocess import PIPE, Process
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from tempfile import TemporaryDirectory

from examples.runner.languages import Interpreter

TIMED_OUT = -128
MAX_OUTPUT = 1 << 20
"""How many bytes of each stream are kept; the rest is dropped."""
DRAIN_S = 1
"""How long to read output after the program ended: a child process may hold the pipes open."""
POLL_S = 0.01
LARGEST_FILE = 16 << 20
OPEN_FILES = 256


@dataclass(frozen=True, slots=True)
class RunResult:
    """`exit_code` is None when a signal ended the program."""

    stdout: str
    stderr: str
    exit_code: int | None


async def execute(interpreter: Interpreter, source_code: str, stdin: str, *, timeout_s: float) -> RunResult:
    """Leaves standard input open after `stdin`: a program that reads to the end runs into the time limit."""
    with TemporaryDirectory(prefix="run-", ignore_cleanup_errors=True) as directory:
        process = await _started(interpreter.program, _written(directory, interpreter, source_code), timeout_s)
        try:
            return await _finished(process, stdin.encode(), timeout_s)
        finally:
            _kill(process)
            await process.wait()


def _written(directory: str, interpreter: Interpreter, source_code: str) -> Path:
    source = Path(directory, f"source{interpreter.suffix}")
    source.write_text(source_code, encoding="utf-8")
    return source


async def _started(program: str, source: Path, timeout_s: float) -> Process:
    """Starts a session of its own, so that all its processes can be killed. Passes on only PATH."""

    def limit() -> None:
        for what, most in (
            (resource.RLIMIT_CPU, ceil(timeout_s) + 1),
            (resource.RLIMIT_FSIZE, LARGEST_FILE),
            (resource.RLIMIT_NOFILE, OPEN_FILES),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.setrlimit(what, (most, most))

    return await asyncio.create_subprocess_exec(
        program,
        source.name,
        stdin=PIPE,
        stdout=PIPE,
        stderr=PIPE,
        cwd=source.parent,
        env={"PATH": os.environ.get("PATH", os.defpath), "LANG": "C.UTF-8", "HOME": str(source.parent)},
        preexec_fn=limit,
        start_new_session=True,
    )


async def _finished(process: Process, stdin: bytes, timeout_s: float) -> RunResult:
    stdout, stderr = bytearray(), bytearray()
    readers = [asyncio.create_task(_read(process.stdout, stdout)), asyncio.create_task(_read(process.stderr, stderr))]
    writer = asyncio.create_task(_write(process, stdin))
    try:
        status = await asyncio.wait_for(_ended(process), timeout_s)
        await asyncio.wait(readers, timeout=DRAIN_S)
        exit_code = status if status >= 0 else None
    except TimeoutError:
        exit_code = TIMED_OUT
    finally:
        for task in (*readers, writer):
            task.cancel()
    return RunResult(stdout.decode(errors="replace"), stderr.decode(errors="replace"), exit_code)


async def _ended(process: Process) -> int:
    """Polls, because `Process.wait` also waits for the pipes, which a child process may hold open."""
    while process.returncode is None:  # noqa: ASYNC110
        await asyncio.sleep(POLL_S)
    return process.returncode


async def _read(stream: asyncio.StreamReader | None, kept: bytearray) -> None:
    while stream is not None and (chunk := await stream.read(1 << 16)):
        kept += chunk[: MAX_OUTPUT - len(kept)]


async def _write(process: Process, stdin: bytes) -> None:
    """Ignores that a program ended before it read its input."""
    try:
        if process.stdin is not None:
            process.stdin.write(stdin)
            await process.stdin.drain()
    except (BrokenPipeError, ConnectionResetError):
        return


def _kill(process: Process) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except ProcessLookupError:
        return
