"""SQLite's own: readers beside the writer, foreign keys, and a file that is not there."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import IntegrityError

from chassis.database.database import Database
from chassis.settings import SettingsInvalid
from chassis.store import StoreUnavailable

COUNT = text("SELECT count(*) FROM parent")


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    path = tmp_path / "odd name %3f?#.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE child (parent_id INTEGER REFERENCES parent (id) ON DELETE CASCADE)")
    connection.close()
    database = Database(URL.create("sqlite", database=str(path)).render_as_string(), timeout_s=0.2)
    yield database
    await database.aclose()


async def test_readers_go_on_beside_the_writer_each_on_one_state(database: Database) -> None:
    async with database.read() as reading:
        assert await reading.scalar(COUNT) == 0
        async with database.write() as writing:
            await writing.execute(text("INSERT INTO parent VALUES (1)"))
            async with database.read() as beside:
                assert await beside.scalar(COUNT) == 0
        assert await reading.scalar(COUNT) == 0
    async with database.read() as later:
        assert await later.scalar(COUNT) == 1


async def test_a_writer_waits_before_it_has_read_anything(database: Database) -> None:
    async with database.write():
        with pytest.raises(StoreUnavailable, match="locked"):
            async with database.write():
                pytest.fail("two writers at once")


async def test_foreign_keys_hold(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("INSERT INTO parent VALUES (1)"))
        await connection.execute(text("INSERT INTO child VALUES (1)"))
        await connection.execute(text("DELETE FROM parent"))
        assert await connection.scalar(text("SELECT count(*) FROM child")) == 0
    with pytest.raises(IntegrityError):
        async with database.write() as connection:
            await connection.execute(text("INSERT INTO child VALUES (7)"))


async def test_a_file_that_is_not_there_is_away_until_it_is_and_is_never_made(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/later.sqlite3")
    with pytest.raises(StoreUnavailable, match="unable to open"):
        await database.ping()
    assert list(tmp_path.iterdir()) == []
    sqlite3.connect(tmp_path / "later.sqlite3").execute("CREATE TABLE t (x)").connection.close()
    await database.ping()
    await database.aclose()


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "sqlite:///:memory:"])
def test_a_url_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="sqlite:///PATH"):
        Database(url)
