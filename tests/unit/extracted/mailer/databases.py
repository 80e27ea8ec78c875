"""Mailer's storage on a fresh database, and mails to put into it."""

import asyncio
import atexit
import shutil
import uuid
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import pytest
from sqlalchemy import Table, select

from chassis.database import migrations
from chassis.database.database import Database
from extracted.mailer.domain import CheckedRequest, Claimed, Mail, MailEvent, MailState, Policy, Raw, Templated
from extracted.mailer.storage import MIGRATIONS
from extracted.mailer.storage.stores import Stores
from tests.support.connected import fresh_postgres

LEASE = timedelta(minutes=20)


def on_sqlite(folder: Path) -> str:
    (folder / "mailer.sqlite3").touch()
    return f"sqlite:///{folder / 'mailer.sqlite3'}"


def on_postgres(_folder: Path) -> str:
    return fresh_postgres()


OpenDatabase = Callable[[Path], str]
BOTH = (
    pytest.param(on_sqlite, id="sqlite"),
    pytest.param(on_postgres, id="postgresql", marks=pytest.mark.connected),
)
"""For the `params` of a fixture: it opens `request.param(folder)`."""


@dataclass
class Clock:
    """Stands still until it is moved, unless it `runs`."""

    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    runs: bool = False

    def __call__(self) -> datetime:
        return datetime.now(UTC) if self.runs else self.now

    def after(self, **passed: float) -> datetime:
        self.now += timedelta(**passed)
        return self.now


class Kept(Stores):
    """The storage under test. `url`: for a process that works on it, too."""

    def __init__(self, url: str) -> None:
        self.url, self.database, self.clock = url, Database(url, timeout_s=30), Clock()
        super().__init__(self.database, self.clock, timedelta(days=30))

    async def claim(self, name: str = "a sender") -> Claimed | None:
        return await self.queue.claim(f"{name} {uuid.uuid4()}", self.clock() + LEASE)

    async def claimed(self) -> Claimed:
        found = await self.claim()
        assert found is not None
        return found

    async def found(self, mail_id: str) -> tuple[Mail, Sequence[MailEvent]]:
        found = await self.mails.find(mail_id)
        assert found is not None
        return found

    async def mail(self, mail_id: str) -> Mail:
        return (await self.found(mail_id))[0]

    async def state(self, mail_id: str) -> MailState:
        return (await self.mail(mail_id)).state

    async def history(self, mail_id: str) -> list[str]:
        return [event.state.value for event in (await self.found(mail_id))[1]]

    async def counted(self) -> dict[MailState, int]:
        """Those that there are."""
        return {state: count for state, count in (await self.mails.counted()).items() if count}

    async def rows(self, table: Table) -> list[dict[str, Any]]:
        async with self.database.read() as connection:
            return [dict(row) for row in (await connection.execute(select(table))).mappings()]


@asynccontextmanager
async def kept(url: str) -> AsyncIterator[Kept]:
    await asyncio.to_thread(_make, url)
    store = Kept(url)
    try:
        yield store
    finally:
        await store.database.aclose()


def _make(url: str) -> None:
    """On SQLite, migrations run once, and their file is copied: they take longer than most tests."""
    file = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite:///") and file.stat().st_size == 0:
        shutil.copyfile(_migrated(), file)
    else:
        _migrate(url)


@cache
def _migrated() -> Path:
    folder = Path(mkdtemp(prefix="mailer-"))
    atexit.register(shutil.rmtree, folder)
    _migrate(on_sqlite(folder))
    return folder / "mailer.sqlite3"


def _migrate(url: str) -> None:
    asyncio.run(migrations.upgrade(url, "mailer", MIGRATIONS))


def wanted(key: str | None = None, recipient: str = "ada@example.org", **changes: Any) -> CheckedRequest:
    """A new one unless the key is given."""
    content = Templated("verify_account", "en", {"username": "ada", "token": "t-1"})
    parts: dict[str, Any] = {"content": content, "policy": Policy.AT_LEAST_ONCE} | changes
    return CheckedRequest(key or f"message:{uuid.uuid4()}", recipient, **parts)


def raw(content: bytes = b"Subject: x\r\n\r\nbody\r\n") -> Raw:
    return Raw("from@example.org", content, "<1@example.org>")
