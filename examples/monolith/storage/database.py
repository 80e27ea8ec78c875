"""The stand-in's database: reads run on their own, writes one after another."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from sqlalchemy import event, exc
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from examples.monolith.http.errors import InternalFailure
from examples.monolith.storage.document_server import DocumentServer
from examples.monolith.storage.documents import SERVER
from examples.monolith.storage.regular_expressions import found_in
from examples.monolith.storage.tables import COLLECTIONS, metadata

BUSY_TIMEOUT_S = 30
POOL_TIMEOUT_S = 60


class Database:
    """Opens connections. Raises SQLAlchemyError, which the application turns into a 500.

    `documents_url`: a server that speaks MongoDB's protocol; None: documents are tables of the same database.
    `pool`: how many connections exist and can leak; None: no limit.
    """

    def __init__(self, url: str, pool: int | None = None, documents_url: str | None = None) -> None:
        self._documents = DocumentServer(documents_url) if documents_url else None
        options = _options(url) | {"execution_options": {SERVER: self._documents}}
        self._reader = create_async_engine(url, isolation_level="AUTOCOMMIT", **options)
        self._writer = create_async_engine(url, **options)
        self._write_lock = asyncio.Lock()
        self._pool = asyncio.Semaphore(pool) if pool else None
        if self._writer.dialect.name == "sqlite":
            _prepare_connections(self._reader)
            _prepare_connections(self._writer)
            _begin_immediately(self._writer)
        else:
            _replace_ended_connections(self._reader)
            _replace_ended_connections(self._writer)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Each statement sees what is committed when it runs, like the monolith's READ COMMITTED."""
        async with self._borrowed(), self._reader.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction, committed at the end of the block. Within this process writes run one after another."""
        async with self._borrowed(), self._write_lock, self._writer.begin() as connection:
            yield connection

    async def leak(self) -> None:
        """Takes a connection from the pool and never returns it."""
        if self._pool is not None:
            await _acquire(self._pool)

    @asynccontextmanager
    async def _borrowed(self) -> AsyncIterator[None]:
        if self._pool is None:
            yield
            return
        await _acquire(self._pool)
        try:
            yield
        finally:
            self._pool.release()

    async def create_tables(self) -> None:
        elsewhere = COLLECTIONS if self._documents else ()
        own = [table for table in metadata.sorted_tables if table not in elsewhere]
        async with self.write() as connection:
            await connection.run_sync(metadata.create_all, tables=own)
        if self._documents:
            await self._documents.create_indexes(COLLECTIONS)

    async def aclose(self) -> None:
        await self._reader.dispose()
        await self._writer.dispose()
        if self._documents:
            await self._documents.aclose()


async def _acquire(pool: asyncio.Semaphore) -> None:
    """Waits as long as Sequelize waits."""
    try:
        await asyncio.wait_for(pool.acquire(), POOL_TIMEOUT_S)
    except TimeoutError as error:
        raise InternalFailure("no database connection became free in time") from error


def _options(url: str) -> dict[str, Any]:
    """Refuses infinite numbers: they are not JSON, and SQLite could not read them back."""
    serializer = {"json_serializer": partial(json.dumps, allow_nan=False)}
    return serializer | ({"connect_args": {"timeout": BUSY_TIMEOUT_S}} if url.startswith("sqlite") else {})


def _prepare_connections(engine: AsyncEngine) -> None:
    @event.listens_for(engine.sync_engine, "connect")
    def connected(connection: Any, _record: object) -> None:
        cursor = connection.cursor()
        for pragma in ("journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()
        connection.create_function("found_in", 2, found_in, deterministic=True)


def _replace_ended_connections(engine: AsyncEngine) -> None:
    """As Sequelize's pool: the driver has seen that the server has ended a connection, so nobody gets it any more."""

    @event.listens_for(engine.sync_engine, "checkout")
    def checked_out(connection: Any, _record: object, _proxy: object) -> None:
        if connection.driver_connection.is_closed():
            raise exc.DisconnectionError


def _begin_immediately(engine: AsyncEngine) -> None:
    """Locks at the start, so that nobody else writes between a transaction's reads and writes."""

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
