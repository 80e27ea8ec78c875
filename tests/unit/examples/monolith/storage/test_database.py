"""The stand-in's connections to PostgreSQL, as Sequelize's pool has them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import psycopg
import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.storage.database import Database
from tests.support.connected import TIMEOUT_S, fresh_postgres

pytestmark = pytest.mark.connected
NOTICED_S = 60
END_ALL = """SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid()"""


@pytest.fixture
def url() -> str:
    return fresh_postgres()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url.replace("postgresql://", "postgresql+asyncpg://", 1))
    yield database
    await database.aclose()


async def used(connection: AsyncConnection) -> Any:
    """The driver's connection, after a statement."""
    assert await connection.scalar(text("SELECT 1")) == 1
    return (await connection.get_raw_connection()).driver_connection


async def noticed(driver_connection: Any) -> None:
    async with asyncio.timeout(NOTICED_S):
        while not driver_connection.is_closed():
            await asyncio.sleep(0.05)


async def test_a_connection_that_the_server_has_ended_is_not_used_again(database: Database, url: str) -> None:
    async with database.read() as connection:
        reader = await used(connection)
    async with database.write() as connection:
        writer = await used(connection)
    with psycopg.connect(url, connect_timeout=TIMEOUT_S) as server:
        server.execute(END_ALL)
    await noticed(reader)
    await noticed(writer)
    async with database.read() as connection:
        assert await used(connection) is not reader
    async with database.write() as connection:
        assert await used(connection) is not writer
