"""Starts the stand-in monolith and its runner as their users do: a process of its own on a free port."""

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

from tests.support.stores import SECRET, Stores

CHEAP = {"PASSWORD_ROUNDS": "4"}
START_TIMEOUT_S = 60
STOP_TIMEOUT_S = 15
ROOT = Path(__file__).resolve().parents[2]


OWN_VARIABLES = ("AUTH_JWT", "NODE_ENV", "EMAIL_", "SMTP_", "MAIL_", "PUBLIC_WWW", "RUNNER_", "PASSWORD_")
"""What the stand-ins read; the test's own environment is kept from them."""


@dataclass(frozen=True)
class Running:
    host: str
    port: int
    process: subprocess.Popen[bytes]

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"


@dataclass(frozen=True)
class RunningMonolith(Running):
    database: Path


@contextmanager
def running_monolith(
    database: Path, *, seed: str = "bare", environ: Mapping[str, str] | None = None
) -> Iterator[RunningMonolith]:
    """`environ` is all of the monolith's variables, but that passwords are hashed cheaply."""
    with _running(
        "examples.monolith", "--database", str(database), "--seed", seed, environ=CHEAP | dict(environ or {})
    ) as running:
        yield RunningMonolith(running.host, running.port, running.process, database)


@contextmanager
def running_monolith_on(
    stores: Stores, *, seed: str = "bare", environ: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """The same on any stores. Without a file there is none for the secret beside it: one of our own, unless given."""
    documents = ("--documents", stores.documents_url) if stores.documents_url else ()
    variables = CHEAP | {"AUTH_JWT_SECRET": SECRET} | dict(environ or {})
    database = ("--database", stores.monolith_database)
    with _running("examples.monolith", *database, *documents, "--seed", seed, environ=variables) as running:
        yield running


@contextmanager
def running_runner(environ: Mapping[str, str] | None = None) -> Iterator[Running]:
    with _running("examples.runner", environ=environ) as running:
        yield running


@contextmanager
def _running(module: str, *arguments: str, environ: Mapping[str, str] | None) -> Iterator[Running]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(OWN_VARIABLES)}
    command = [sys.executable, "-m", module, "--port", "0", *arguments]
    with subprocess.Popen(command, cwd=ROOT, env=own | dict(environ or {}), stdout=subprocess.PIPE) as process:
        try:
            host, port = _announced(process)
            yield Running(host, port, process)
        finally:
            stop(process)


def stop(process: subprocess.Popen[bytes]) -> int:
    """SIGTERM, then the exit status; killed when it does not end in time."""
    if process.poll() is None:
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
        raise AssertionError(f"{process.args!r} said {line!r} instead of where it listens")
    return line
