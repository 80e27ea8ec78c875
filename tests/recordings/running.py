"""Starts the stand-in monolith and the runner as users do: as a process on a free port."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.stores import SECRET, Stores
from tests.unit.extracted.running import stop

CHEAP = {"PASSWORD_ROUNDS": "4"}
START_TIMEOUT_S = 180
ROOT = Path(__file__).resolve().parents[2]


OWN_VARIABLES = ("AUTH_JWT", "NODE_ENV", "EMAIL_", "SMTP_", "MAIL_", "PUBLIC_WWW", "RUNNER_", "PASSWORD_")
"""Variables of the stand-ins; they do not inherit them from the test's environment."""


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
    """`environ`: the monolith's variables. Passwords are hashed cheaply unless it says otherwise."""
    with _running(
        "examples.monolith", "--database", str(database), "--seed", seed, environ=CHEAP | dict(environ or {})
    ) as running:
        yield RunningMonolith(running.host, running.port, running.process, database)


@contextmanager
def running_monolith_on(
    stores: Stores, *, seed: str = "bare", environ: Mapping[str, str] | None = None
) -> Iterator[Running]:
    """The same on any stores. A database URL has no secret file beside it, so the secret is a fixed one by default."""
    documents = ("--documents", stores.documents_url) if stores.documents_url else ()
    variables = CHEAP | {"AUTH_JWT_SECRET": SECRET} | dict(environ or {})
    database = ("--database", stores.monolith_database)
    with _running("examples.monolith", *database, *documents, "--seed", seed, environ=variables) as running:
        yield running


@contextmanager
def running_runner(environ: Mapping[str, str] | None = None) -> Iterator[Running]:
    with _running("extracted.runner", environ=environ) as running:
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


def _announced(process: subprocess.Popen[bytes]) -> tuple[str, int]:
    """Host and port of the line `listening on http://…`."""
    assert process.stdout is not None
    ready, _, _ = select.select([process.stdout], [], [], START_TIMEOUT_S)
    line = process.stdout.readline().decode().strip() if ready else ""
    host, colon, port = line.removeprefix("listening on http://").partition(":")
    if not line.startswith("listening on http://") or not colon:
        raise AssertionError(f"{process.args!r} printed {line!r} instead of its address")
    return host, int(port)
