"""The SQL database of a process: read and write transactions, and one exception if it is unavailable."""

import asyncio
import math
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from functools import partial
from typing import Any

from sqlalchemy import event, exc, make_url, text
from sqlalchemy.engine import URL, Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import ConnectionPoolEntry

from chassis import deadline
from chassis.database.driver import AWAY, CLOSE_S, LOST, READ_ONLY, TRUSTED_S, Driver
from chassis.database.prepared import AnyConnection, PreparedStatement
from chassis.settings import SettingsInvalid
from chassis.store import StoreUnavailable

_BEGIN = "database_begin"
_READER = {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
_IDLE_TIMEOUT_MS = 30_000
_USED = "used_at"


class Database:
    """One per process. `url`: sqlite:///PATH or postgresql://…; it never creates an SQLite file.

    `timeout_s` limits the wait for a connection, a lock, a statement. On PostgreSQL there are two pools of `pool_size`:
    the engine's for `read`, `look` and `write`, the driver's for `prepared_look`, `prepared_write` and `execute`, which
    take prepared statements only and cost a tenth (docs/decisions/driver-for-hot-statements.md).
    Raises SettingsInvalid for a URL that cannot be used.
    """

    def __init__(self, url: str, *, pool_size: int = 5, timeout_s: float = 5.0) -> None:
        parsed = _parsed(url)
        self.engine = _engine(parsed, pool_size, timeout_s)
        self.is_sqlite = self.engine.dialect.name == "sqlite"
        self._timeout_s = timeout_s
        self._driver = None if self.is_sqlite else Driver(_driver_options(parsed, timeout_s), pool_size, timeout_s)
        self._reader = self.engine if self.is_sqlite else self.engine.execution_options(**_READER)
        self._writer = self.engine.execution_options(**{_BEGIN: "BEGIN IMMEDIATE"}) if self.is_sqlite else self.engine
        single = {_BEGIN: None} if self.is_sqlite else {"isolation_level": "AUTOCOMMIT"}
        self._single = self.engine.execution_options(**single)

    def read(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that sees one state of the data. Raises StoreUnavailable."""
        return _transaction(self._reader, self._timeout_s)

    def look(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """For one statement that reads: one round trip instead of three, because it has no transaction.

        Raises StoreUnavailable.
        """
        return _transaction(self._single, 0.0)  # SET LOCAL needs a transaction

    def write(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """A transaction that commits when its block ends without an exception.

        On SQLite it takes the write lock at once. On PostgreSQL it is READ COMMITTED: put conditions into the writes.
        """
        return _transaction(self._writer, self._timeout_s, writes=True)

    def prepared_write(
        self, locks: Collection[int] = (), *, is_shared: bool = False, is_flushed: bool = True
    ) -> AbstractAsyncContextManager[AnyConnection]:
        """As `write`, for prepared statements only.

        `locks`: signed numbers of 64 bits; until the end nobody else holds them. `is_shared`: it works for several
        callers, so it raises StoreUnavailable if it has to wait for a lock; then each tries alone. (On SQLite one
        writes at a time.) `is_flushed` False: PostgreSQL does not wait for the disk, so its crash may forget the
        transaction.
        """
        if self._driver is None:
            return self.write()
        return self._driver.transaction(locks, is_shared=is_shared, is_flushed=is_flushed)

    def prepared_look(self) -> AbstractAsyncContextManager[AnyConnection]:
        """As `look`, for prepared statements only."""
        return self.look() if self._driver is None else self._driver.single()

    async def execute(
        self, prepared: PreparedStatement, values: Mapping[str, object], *, writes: bool = True
    ) -> Sequence[Any]:
        """One statement, in one round trip on PostgreSQL; its rows. Raises StoreUnavailable."""
        if self._driver is not None:
            async with self._driver.single(writes=writes) as direct:
                return await prepared.on(direct, values)
        async with self.write() if writes else self.look() as connection:
            return await prepared.on(connection, values)

    async def ping(self) -> None:
        """Returns if the database answers. Raises StoreUnavailable."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def aclose(self) -> None:
        """Closes every connection; it does not wait long for a server that does not answer."""
        with suppress(TimeoutError, OSError):
            async with asyncio.timeout(CLOSE_S):
                await self.engine.dispose()
        if self._driver is not None:
            await self._driver.aclose()


@asynccontextmanager
async def _transaction(
    engine: AsyncEngine, timeout_s: float, *, writes: bool = False
) -> AsyncIterator[AsyncConnection]:
    deadline.check()
    try:
        async with engine.begin() as connection:
            deadline.begin()
            if (left_s := deadline.left_s()) < timeout_s and engine.dialect.name == "postgresql":
                await connection.execute(text(f"SET LOCAL statement_timeout = {int(left_s * 1000)}"))
            yield connection
    except exc.TimeoutError as error:
        raise StoreUnavailable("no connection became free in time") from error
    except exc.DBAPIError as error:
        if not _is_away(error, writes):
            raise
        raise StoreUnavailable(str(error.orig)) from error  # SQLAlchemy's own text contains the statement's parameters
    except LOST as error:  # SQLAlchemy does not wrap failures to connect and time-outs
        raise StoreUnavailable(str(error) or "it did not answer in time") from error


def _is_away(error: exc.DBAPIError, writes: bool) -> bool:
    if isinstance(error, exc.OperationalError | exc.InterfaceError) or error.connection_invalidated:
        return True
    state = str(getattr(error.orig, "sqlstate", None))
    # for a writer, a read-only server is unavailable, too; a reader that writes is a programming error
    return state[:2] in AWAY or (writes and state == READ_ONLY)


def _parsed(url: str) -> URL:
    wanted = "expected sqlite:///PATH or postgresql://USER@HOST/NAME"
    try:
        parsed = make_url(url.replace("postgres://", "postgresql://", 1))
    except exc.ArgumentError:
        raise SettingsInvalid(f"the database URL is not valid; {wanted}") from None
    backend = parsed.get_backend_name()
    if backend == "sqlite" and parsed.database in (None, "", ":memory:"):
        raise SettingsInvalid("an SQLite database must be a file; expected sqlite:///PATH")
    if backend not in ("sqlite", "postgresql"):
        raise SettingsInvalid(f"databases of the kind {backend} are not supported; {wanted}")
    return parsed


def _engine(url: URL, pool_size: int, timeout_s: float) -> AsyncEngine:
    pool = {"pool_size": pool_size, "max_overflow": 0, "pool_timeout": timeout_s, "hide_parameters": True}
    return (_sqlite if url.get_backend_name() == "sqlite" else _postgres)(url, timeout_s, pool)


def _postgres(url: URL, timeout_s: float, pool: dict[str, Any]) -> AsyncEngine:
    engine = create_async_engine(url.set(drivername="postgresql+asyncpg"), connect_args=_session(timeout_s), **pool)
    event.listen(engine.sync_engine, "checkin", _note_use)
    event.listen(engine.sync_engine, "checkout", _expect_alive)
    return engine


def _session(timeout_s: float) -> dict[str, Any]:
    """The server cancels a statement or a wait for a lock; the client gives up a second later."""
    own_ms = str(int(timeout_s * 1000))
    session = {"timezone": "UTC", "statement_timeout": own_ms, "lock_timeout": own_ms}
    session["idle_in_transaction_session_timeout"] = str(_IDLE_TIMEOUT_MS)
    return {"timeout": timeout_s, "command_timeout": timeout_s + 1, "server_settings": session}


def _driver_options(url: URL, timeout_s: float) -> dict[str, Any]:
    """Reads the URL as the engine does, so that both connect in the same way.

    For statements over arrays PostgreSQL would make a new plan at each call, which takes longer than running it. The
    driver has plans made anew every few seconds.
    """
    dialect = url.set(drivername="postgresql+asyncpg").get_dialect()()
    session = _session(timeout_s)
    session["server_settings"] |= {"plan_cache_mode": "force_generic_plan"}
    return dict(dialect.create_connect_args(url)[1]) | session


def _note_use(_connection: Any, record: ConnectionPoolEntry) -> None:
    record.info[_USED] = time.monotonic()


def _expect_alive(connection: Any, record: ConnectionPoolEntry, _proxy: object) -> None:
    """As SQLAlchemy's pre-ping, but only after a pause; a connection closed by the server is noticed without a ping."""
    if connection.driver_connection.is_closed():
        raise exc.DisconnectionError
    if time.monotonic() - record.info.get(_USED, math.inf) > TRUSTED_S:
        try:
            connection.ping()
        except Exception as error:  # of the driver or the network: the connection is useless
            raise exc.DisconnectionError from error


def _sqlite(url: URL, timeout_s: float, pool: dict[str, Any]) -> AsyncEngine:
    engine = create_async_engine(_existing_file(url), connect_args={"timeout": timeout_s, "uri": True}, **pool)
    event.listen(engine.sync_engine, "do_connect", partial(_expect_file, url.database or ""))
    event.listen(engine.sync_engine, "connect", _prepare_sqlite)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _existing_file(url: URL) -> URL:
    """The same file as a URI that fails if the file is missing, instead of creating an empty one."""
    quoted = (url.database or "").replace("%", "%25").replace("?", "%3f").replace("#", "%23")
    return URL.create("sqlite+aiosqlite", database=f"file:{quoted}", query={"mode": "rw", "uri": "true"})


def _expect_file(path: str, *_: object) -> None:
    """Fails before the driver tries: after a failed open, its thread may outlive the event loop."""
    if not os.path.exists(path):
        raise sqlite3.OperationalError("unable to open database file")


def _prepare_sqlite(connection: Any, _record: object) -> None:
    """WAL lets readers read while somebody writes."""
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    """Begins at the start of the block. The driver would begin at the first write, and two readers could then block."""
    begin = connection.get_execution_options().get(_BEGIN, "BEGIN")
    if begin is not None:
        connection.exec_driver_sql(begin)
