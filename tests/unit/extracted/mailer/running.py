"""Mailer as a process, and as its callers meet it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import Any

from chassis.messaging.envelope import Envelope
from chassis.messaging.open import open_broker
from chassis.messaging.topology import load
from extracted.mailer.main import TOPOLOGY
from extracted.mailer.messages import REQUESTED
from tests.support.mail.smtp_faults import Fault, write_faults
from tests.support.mail.smtp_sink import Taken, recorded
from tests.unit.extracted.running import ROOT, START_TIMEOUT_S, Answer, announced_port, ask, stop

__all__ = [
    "INTERNAL", "OPERATOR", "ROOT", "RunningMailer", "RunningSink", "bearer", "published", "request", "run",
    "running_mailer", "running_sink", "settings", "started", "stop",
]  # fmt: skip

INTERNAL, OPERATOR = "services-alone-have-this", "operators-alone-have-this"
NOWHERE = "1"
"""A port at which no provider is."""
VARIABLES = {"username": "ada", "token": "tell-nobody"}


def settings(database_url: str, broker_url: str, **variables: str) -> dict[str, str]:
    """The environment; `variables` are MAILER_… by their names without the prefix."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("MAILER_")}
    own = {
        "DATABASE_URL": database_url,
        "BROKER_URL": broker_url,
        "SMTP_HOST": "127.0.0.1",
        "SMTP_PORT": NOWHERE,
        "SMTP_TLS": "none",
        "PUBLIC_WWW_URL": "https://polycode.example",
        "INTERNAL_TOKEN": INTERNAL,
        "OPERATOR_TOKEN": OPERATOR,
    } | variables
    return environ | {f"MAILER_{name}": value for name, value in own.items()}


def run(*arguments: str, environ: dict[str, str] | None = None) -> "subprocess.CompletedProcess[str]":
    """Until it ends."""
    command = [sys.executable, "-m", "extracted.mailer", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=START_TIMEOUT_S, check=False
    )


@dataclass(frozen=True)
class RunningMailer:
    port: int
    process: "subprocess.Popen[str]"
    log: Path

    def ask(
        self, method: str, target: str, token: str | None = OPERATOR, body: object = None, **headers: str
    ) -> Answer:
        """`body`: what becomes JSON, or bytes as they are."""
        fields = {} if token is None else bearer(token)
        fields |= {name.replace("_", "-"): value for name, value in headers.items()}
        data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
        return ask(self.port, target, method, fields, data)

    def json(self, method: str, target: str, token: str = OPERATOR, body: object = None, **headers: str) -> Any:
        answer = self.ask(method, target, token, body, **headers)
        assert answer.status in (200, 202), answer
        return json.loads(answer.body)

    def mail(self, key: str, recipient: str = "ada@example.org", **changes: object) -> Any:
        """Asks for one; its id and state."""
        wanted = {"kind": "verify_account", "recipient": recipient, "locale": "fr", "variables": VARIABLES} | changes
        return self.json("POST", "/mails", INTERNAL, wanted, Idempotency_Key=key)

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@contextmanager
def running_mailer(database_url: str, broker_url: str, **variables: str) -> Iterator[RunningMailer]:
    """On tables that are made first. Without a provider that answers unless one is named."""
    environ = settings(database_url, broker_url, **variables)
    migrated = run("migrate", environ=environ)
    assert migrated.returncode == 0, migrated.stderr
    with started(environ) as running:
        yield running


@contextmanager
def started(environ: dict[str, str]) -> Iterator[RunningMailer]:
    """As it is told."""
    command = [sys.executable, "-m", "extracted.mailer", "--port", "0"]
    with (
        NamedTemporaryFile() as log,
        subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, stderr=log, text=True) as process,
    ):
        try:
            yield RunningMailer(announced_port(process), process, Path(log.name))
        finally:
            stop(process)


def bearer(token: str) -> dict[str, str]:
    """The header field."""
    return {"Authorization": f"Bearer {token}"}


@dataclass(frozen=True)
class RunningSink:
    """A provider of its own process."""

    port: int
    record: Path
    faults: Path

    def taken(self) -> list[Taken]:
        return recorded(self.record)

    def set(self, *faults: Fault) -> None:
        write_faults(self.faults, faults)

    @property
    def settings(self) -> dict[str, str]:
        """For a mailer that sends to it."""
        return {"SMTP_PORT": str(self.port)}


@contextmanager
def running_sink(folder: Path) -> Iterator[RunningSink]:
    record, faults = folder / "taken.jsonl", folder / "faults.json"
    record.touch()
    command = [sys.executable, "-m", "tests.support.mail.smtp_sink", "--record", str(record), "--faults", str(faults)]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield RunningSink(int(process.stdout.readline()), record, faults)
        finally:
            stop(process)


async def published(broker_url: str, *envelopes: Envelope) -> None:
    """To the exchange that Account writes to, on queues that are there."""
    broker = open_broker(broker_url, "account")
    try:
        await broker.declare(load(TOPOLOGY).owned_by("mailer"))
        for envelope in envelopes:
            await broker.publish("mails", envelope)
    finally:
        await broker.aclose()


def request(id: str, **changes: object) -> Envelope:
    """`mail.requested.v1`, as Account writes it."""
    body = {"kind": "verify_account", "recipient": "ada@example.org", "locale": "en", "variables": VARIABLES} | changes
    return Envelope(id=id, type=REQUESTED, body=body, time=datetime.now(UTC))
