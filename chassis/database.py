"""The SQL database of a process: an async engine, read and write transactions, and one error when it is away."""

import os
import sqlite3
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import Any

from sqlalchemy import event, make_url, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.exc import ArgumentError, DBAPIError, InterfaceError, OperationalError, TimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from chassis.settings import SettingsInvalid
from chassis.store import StoreUnavailable

_BEGIN = "database_begin"


class Database:
    """One per process. `url`: sqlite:///PATH or postgresql://…; an SQLite file is never created here.

    Raises SettingsInvalid for a URL that cannot be used.
    """

    def __init__(self, url: str, *, pool_size: int = 5, timeout_s: float = 5.0) -> None:
        self.engine = _engine(_parsed(url), pool_size, timeout_s)
        self._writer = self.engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"})

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that sees one state of the data. Raises StoreUnavailable."""
        return _transaction(self.engine)

    def write(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that commits when its block ends well. On SQLite it takes the write lock at once."""
        return _transaction(self._writer)

    async def ping(self) -> None:
        """Returns when the database answers. Raises StoreUnavailable."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def aclose(self) -> None:
        """Closes every connection."""
        await self.engine.dispose()


@asynccontextmanager
async def _transaction(engine: AsyncEngine) -> AsyncIterator[AsyncConnection]:
    try:
        async with engine.begin() as connection:
            yield connection
    except (OperationalError, InterfaceError, TimeoutError) as error:
        raise StoreUnavailable(_seen(error)) from error


def _seen(error: Exception) -> str:
    """The driver's words alone: SQLAlchemy's own text carries the statement's parameters."""
    return str(error.orig) if isinstance(error, DBAPIError) else "no connection became free in time"


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise SettingsInvalid("the database URL is none: wanted sqlite:///PATH or postgresql://…") from None
    if parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise SettingsInvalid("an SQLite database has to be a file: wanted sqlite:///PATH")
    return parsed


def _engine(url: URL, pool_size: int, timeout_s: float) -> AsyncEngine:
    options: dict[str, Any] = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": timeout_s}
    if url.get_backend_name() != "sqlite":
        return create_async_engine(url, pool_pre_ping=True, hide_parameters=True, **options)
    engine = create_async_engine(
        _existing_file(url), connect_args={"timeout": timeout_s, "uri": True}, hide_parameters=True, **options
    )
    event.listen(engine.sync_engine, "do_connect", partial(_expect_file, url.database or ""))
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _existing_file(url: URL) -> URL:
    """The same file through a URI that fails where there is no file, instead of making an empty one."""
    quoted = (url.database or "").replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return URL.create("sqlite+aiosqlite", database=f"file:{quoted}", query={"mode": "rw", "uri": "true"})


def _expect_file(path: str, *_: object) -> None:
    """Before the driver tries: where opening fails, its thread may outlive the event loop that it reports to."""
    if not os.path.exists(path):
        raise sqlite3.OperationalError("unable to open database file")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """WAL lets readers go on beside the writer."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """At the start of the block; the driver would wait for the first write, and two readers could not both go on."""
    connection.exec_driver_sql(connection.get_execution_options().get(_BEGIN, "BEGIN"))
