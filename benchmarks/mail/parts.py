"""The parts of the mail benchmark: a sink process, fresh stores, a backlog in rows, a Mailer."""

import asyncio
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psutil
from sqlalchemy import update

from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from extracted.mailer.domain import CheckedRequest, MailState, Policy, Templated
from extracted.mailer.storage.mails import StoredMails
from extracted.mailer.storage.tables import define
from parts.process import is_open
from parts.servers import postgres, rabbit
from tests.support.connected import fresh_postgres, fresh_rabbit
from tests.support.mail.smtp_sink import Taken, recorded
from tests.unit.extracted.mailer.running import ROOT, RunningMailer, run, settings, started, stop

_AT_ONCE = 1000


@dataclass(frozen=True)
class SinkProcess:
    """A provider with a fixed latency."""

    port: int
    record: Path
    pid: int

    def count(self) -> int:
        """Mails so far."""
        return self.record.read_bytes().count(b"\n")

    def taken(self) -> list[Taken]:
        """In order of arrival."""
        return recorded(self.record)


@contextmanager
def sink(folder: Path, latency_ms: float) -> Iterator[SinkProcess]:
    """On a free port."""
    record = folder / f"taken-{uuid.uuid4().hex}.jsonl"
    record.touch()
    command = [
        sys.executable,
        "-m",
        "tests.support.mail.smtp_sink",
        "--record",
        str(record),
        "--latency-ms",
        str(latency_ms),
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield SinkProcess(int(process.stdout.readline()), record, process.pid)
        finally:
            stop(process)


def are_parts_up() -> bool:
    """PostgreSQL and RabbitMQ of `make parts`."""
    return all(is_open(part) for part in (postgres.PORT, rabbit.PORT))


@contextmanager
def mailers(
    folder: Path, port: int, processes: int, senders: int, backlog: int, *, are_retries: bool = False
) -> Iterator[Sequence[RunningMailer]]:
    """On fresh stores with a backlog. `senders`: per Mailer; `are_retries`: they failed before and are due again."""
    database, broker = _stores(folder)
    environ = settings(database, broker, SENDERS=str(senders), SMTP_PORT=str(port), LOG_LEVEL="WARNING")
    migrated = run("migrate", environ=environ)
    assert migrated.returncode == 0, migrated.stderr
    asyncio.run(_fill(database, backlog, are_retries))
    with ExitStack() as stack:
        yield [stack.enter_context(started(environ)) for _ in range(processes)]


def _stores(folder: Path) -> tuple[str, str]:
    if are_parts_up():
        return fresh_postgres(), fresh_rabbit()
    name = uuid.uuid4().hex
    return f"sqlite:///{folder / name}.sqlite3", f"sqlite:///{folder / name}-broker.sqlite3"


async def _fill(url: str, number: int, are_retries: bool) -> None:
    database = Database(url, timeout_s=60)
    tables = define(OwnTables("mailer", database.is_sqlite))
    mails = StoredMails(database, tables, lambda: datetime.now(UTC))
    for begin in range(0, number, _AT_ONCE):
        await mails.add([_wanted() for _ in range(min(_AT_ONCE, number - begin))])
    if are_retries:
        async with database.write() as connection:
            await connection.execute(update(tables.mails).values(state=MailState.DEFERRED.value, attempts=1))
    await database.aclose()


def _wanted() -> CheckedRequest:
    key = uuid.uuid4().hex
    content = Templated("verify_account", "en", {"username": "ada", "token": key})
    return CheckedRequest(f"message:{key}", f"{key}@bench.test", content, Policy.AT_LEAST_ONCE)


def cpu_s(pid: int) -> float:
    """CPU time of a process so far."""
    used = psutil.Process(pid).cpu_times()
    return used.user + used.system


def rss_mib(pid: int) -> float:
    """Memory of a process now."""
    return round(psutil.Process(pid).memory_info().rss / 2**20, 1)
