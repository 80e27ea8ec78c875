"""The same tests on both databases: a service's own tables beside a table of somebody else, in a fresh database."""

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from chassis.database import migrations
from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from tests.ports.outbox.service import REVISIONS, SERVICE, Clock, Service
from tests.support.connected import fresh_postgres


@pytest.fixture(autouse=True)
def quiet() -> Iterator[None]:
    """Development's tracebacks, with the values of all variables, take longer than what is tested."""
    with capture_logs():
        yield


def on_sqlite(directory: Path) -> str:
    with closing(sqlite3.connect(directory / "shared.sqlite3")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    return f"sqlite:///{directory / 'shared.sqlite3'}"


def on_postgres(_directory: Path) -> str:
    return fresh_postgres()


@pytest.fixture(
    params=[pytest.param(on_sqlite, id="sqlite"), pytest.param(on_postgres, id="postgres", marks=pytest.mark.connected)]
)
async def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Of a database with one foreign table, which has one row."""
    fresh: Callable[[Path], str] = request.param
    url = fresh(tmp_path)
    database = Database(url, timeout_s=30)
    async with database.write() as connection:
        await connection.execute(text("CREATE TABLE foreign_thing (id integer PRIMARY KEY, points integer)"))
        await connection.execute(text("INSERT INTO foreign_thing VALUES (1, 10)"))
    await database.aclose()
    return url


@pytest.fixture
async def service(url: str) -> AsyncIterator[Service]:
    """Migrated."""
    await migrations.upgrade(url, SERVICE, REVISIONS)
    database = Database(url, timeout_s=30)
    yield Service(database, OwnTables(SERVICE, database.is_sqlite), Clock())
    await database.aclose()
