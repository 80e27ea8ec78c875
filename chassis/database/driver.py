"""PostgreSQL's driver for prepared statements, which cost a tenth of the CPU of the engine's.

Only this file knows asyncpg's errors. Its connections are separate from the engine's, so neither starves the other.
"""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from math import inf
from time import monotonic
from typing import Any, Final

import asyncpg  # type: ignore[import-untyped]
from sqlalchemy import exc

from chassis import deadline
from chassis.store import StoreUnavailable

TRUSTED_S: Final = 1.0
"""A connection that was used within this time is not pinged before its next use."""
PLANNED_S: Final = 5.0
"""How long plans are kept: one that reads the whole table is made while the table is small, and nobody may analyze it
for a minute, in which it grows."""
CLOSE_S: Final = 2.0
SHARED_LOCK_MS: Final = 100
"""How long a transaction that several callers share waits for a lock: the others must not wait for what one wants."""
READ_ONLY: Final = "25006"
AWAY: Final = {"08", "28", "3D", "40", "53", "55", "57"}
"""PostgreSQL's error classes (its manual, appendix A): no connection, no entry, no such database, deadlock, full,
locked for too long, cancelled."""
LOST: Final = (asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""Raised without an error from the server: the connection is lost, or the server does not answer."""


class Row(asyncpg.Record):  # type: ignore[misc]  # as asyncpg's manual makes one
    """Its columns are attributes, too."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(name) from None


@dataclass(slots=True)
class _Pooled:
    connection: Any
    used_at: float
    planned_at: float


class Driver:
    """Up to `size` connections, opened on demand. `options`: arguments of asyncpg.connect."""

    def __init__(self, options: Mapping[str, Any], size: int, timeout_s: float) -> None:
        self._options = options
        self._timeout_s = timeout_s
        self._slots = asyncio.Semaphore(size)
        self._idle: list[_Pooled] = []

    @asynccontextmanager
    async def single(self, *, writes: bool = False) -> AsyncIterator[Any]:
        """A connection on which each statement is its own transaction. Raises StoreUnavailable, DeadlinePassed."""
        deadline.check()
        async with self._slot():
            deadline.begin()
            pooled = None
            try:
                pooled = await self._taken()
                left_s = inf if writes else deadline.left_s()
                if left_s < self._timeout_s:
                    async with asyncio.timeout(left_s):
                        yield pooled.connection
                else:
                    yield pooled.connection
            except BaseException as error:
                if pooled is not None and not isinstance(error, asyncpg.PostgresError):  # its state is unknown
                    _end(pooled.connection)
                if (ours := _ours(error)) is not None:
                    raise ours from error
                raise
            finally:
                if pooled is not None and not pooled.connection.is_closed():
                    pooled.used_at = monotonic()
                    self._idle.append(pooled)

    @asynccontextmanager
    async def transaction(
        self, locks: Collection[int] = (), *, is_shared: bool = False, is_flushed: bool = True
    ) -> AsyncIterator[Any]:
        """READ COMMITTED; commits when its block ends without an exception. Raises StoreUnavailable.

        `locks`: advisory locks that it holds until the end, and takes before the block's first snapshot. `is_shared`:
        waits only shortly for any lock. `is_flushed` False: the commit does not wait for the disk.
        """
        brief = f"; SET LOCAL lock_timeout = {SHARED_LOCK_MS}" if is_shared else ""
        brief += "" if is_flushed else "; SET LOCAL synchronous_commit = off"
        if (left_s := deadline.left_s()) < self._timeout_s:
            brief += f"; SET LOCAL statement_timeout = {int(left_s * 1000)}"
        locked = f"; SELECT pg_advisory_xact_lock(unnest(ARRAY{sorted(locks)}::bigint[]))" if locks else ""
        async with self.single(writes=True) as connection:
            try:
                await connection.execute(f"BEGIN{brief}{locked}")
                yield connection
                ended = await connection.execute("COMMIT")
            except BaseException:
                _end(connection)  # the server rolls back
                raise
            if ended != "COMMIT":
                raise RuntimeError(f"a transaction ended with {ended}: an error in it was ignored")

    async def aclose(self) -> None:
        """Closes the idle connections, and does not wait long."""
        idle, self._idle = self._idle, []
        closing = (one.connection.close(timeout=CLOSE_S) for one in idle)
        await asyncio.gather(*closing, return_exceptions=True)

    @asynccontextmanager
    async def _slot(self) -> AsyncIterator[None]:
        if self._slots.locked():
            try:
                await asyncio.wait_for(self._slots.acquire(), self._timeout_s)
            except TimeoutError as error:
                raise StoreUnavailable("no connection became free in time") from error
        else:
            await self._slots.acquire()  # without a task of its own
        try:
            yield
        finally:
            self._slots.release()

    async def _taken(self) -> _Pooled:
        while self._idle:
            idle = self._idle.pop()
            if await _lives(idle):
                return idle
        connection = await asyncpg.connect(**self._options, record_class=Row)
        await connection.set_type_codec("uuid", schema="pg_catalog", encoder=str, decoder=str)
        return _Pooled(connection, monotonic(), monotonic())


async def _lives(idle: _Pooled) -> bool:
    """Also ends its plans when they are old."""
    if idle.connection.is_closed():
        return False
    now = monotonic()
    is_planned = now - idle.planned_at <= PLANNED_S
    if is_planned and now - idle.used_at <= TRUSTED_S:
        return True
    try:
        await idle.connection.execute("SELECT 1" if is_planned else "DISCARD PLANS")
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError, TimeoutError):
        _end(idle.connection)
        return False
    if not is_planned:
        idle.planned_at = now
    return True


def _end(connection: Any) -> None:
    connection.terminate()


def _ours(error: BaseException) -> Exception | None:
    """The exception that the engine would raise; None: the error itself."""
    if isinstance(error, asyncpg.IntegrityConstraintViolationError):
        return exc.IntegrityError("a prepared statement", None, error, hide_parameters=True)
    if isinstance(error, asyncpg.PostgresError):
        state = str(error.sqlstate)
        return StoreUnavailable(str(error)) if state[:2] in AWAY or state == READ_ONLY else None
    if isinstance(error, LOST):
        return StoreUnavailable(str(error) or "it did not answer in time")
    return None
