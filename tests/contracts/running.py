"""Starts the stand-in monolith as its users do: a process of its own on a free port."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import monotonic

START_TIMEOUT_S = 20
STOP_TIMEOUT_S = 15
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class RunningMonolith:
    host: str
    port: int
    database: Path
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@contextmanager
def running_monolith(
    database: Path, *, seed: str = "bare", environ: Mapping[str, str] | None = None
) -> Iterator[RunningMonolith]:
    """`environ` is all of the monolith's variables; those of the test's own environment are kept from it."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("AUTH_JWT", "NODE_ENV"))}
    command = [sys.executable, "-m", "examples.monolith", "--port", "0", "--database", str(database), "--seed", seed]
    with subprocess.Popen(command, cwd=ROOT, env=own | dict(environ or {}), stdout=subprocess.PIPE) as process:
        try:
            host, port = _announced(process)
            yield RunningMonolith(host, port, database, process)
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> int:
    """SIGTERM, then the exit status; killed when it does not end in time."""
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        raise


def _announced(process: subprocess.Popen[bytes]) -> tuple[str, int]:
    """Host and port of the line `listening on http://…`."""
    line = _first_line(process, monotonic() + START_TIMEOUT_S)
    host, _, port = line.removeprefix("listening on http://").partition(":")
    return host, int(port)


def _first_line(process: subprocess.Popen[bytes], deadline: float) -> str:
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], deadline - monotonic())
    line = process.stdout.readline().decode().strip() if ready else ""
    if not line.startswith("listening on http://"):
        raise AssertionError(f"the monolith said {line!r} instead of where it listens")
    return line
