"""The stand-in's database: short reads on their own, writes one after another."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Connection
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine

from examples.monolith.http.refusals import InternalFailure
from examples.monolith.storage.document_server import DocumentServer
from examples.monolith.storage.documents import SERVER
from examples.monolith.storage.regular_expressions import found_in
from examples.monolith.storage.tables import COLLECTIONS, metadata

BUSY_TIMEOUT_S = 30
POOL_TIMEOUT_S = 60


class Database:
    """Opens connections. Raises SQLAlchemyError; callers leave it to the one place that answers 500.

    `documents_url`: a server that speaks MongoDB's protocol; None: documents are in tables of the same database.
    `pool`: how many connections there are, and can be leaked; None: enough.
    """

    def __init__(self, url: str, pool: int | None = None, documents_url: str | None = None) -> None:
        self._documents = DocumentServer(documents_url) if documents_url else None
        options = _options(url) | {"execution_options": {SERVER: self._documents}}
        self._reader = create_async_engine(url, isolation_level="AUTOCOMMIT", **options)
        self._writer = create_async_engine(url, **options)
        self._turn = asyncio.Lock()
        self._pool = asyncio.Semaphore(pool) if pool else None
        if self._writer.dialect.name == "sqlite":
            _prepare_connections(self._reader)
            _prepare_connections(self._writer)
            _begin_immediately(self._writer)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """Each statement sees what is committed when it runs, as at the monolith's READ COMMITTED."""
        async with self._borrowed(), self._reader.connect() as connection:
            yield connection

    @asynccontextmanager
    async def write(self) -> AsyncIterator[AsyncConnection]:
        """One transaction, committed at the end of the block; within this process one after another, in their order."""
        async with self._borrowed(), self._turn, self._writer.begin() as connection:
            yield connection

    async def leak(self) -> None:
        """Takes a connection of the pool, and never gives it back."""
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
    """Waits as long as Sequelize does."""
    try:
        await asyncio.wait_for(pool.acquire(), POOL_TIMEOUT_S)
    except TimeoutError as error:
        raise InternalFailure("no connection is free") from error


def _options(url: str) -> dict[str, Any]:
    """An infinite number is no JSON: SQLite would keep it, and choke on it later."""
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


def _begin_immediately(engine: AsyncEngine) -> None:
    """What is read to be written stays as it was read: nobody else writes meanwhile."""

    @event.listens_for(engine.sync_engine, "begin")
    def begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")
