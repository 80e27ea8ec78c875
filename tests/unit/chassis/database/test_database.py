"""Transactions on SQLite: who sees what, who waits for whom, and what it means to be away."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import URL, text
from sqlalchemy.exc import IntegrityError, ProgrammingError

from chassis.database.database import Database
from chassis.settings import SettingsInvalid
from chassis.store import StoreUnavailable

DEADLINE_S = 10


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "odd name %3f?#.sqlite3"
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        connection.execute("CREATE TABLE child (parent_id INTEGER REFERENCES parent (id) ON DELETE CASCADE)")
    connection.close()
    return path


def url_of(path: Path) -> str:
    return URL.create("sqlite", database=str(path)).render_as_string()


@pytest.fixture
async def database(path: Path) -> AsyncIterator[Database]:
    database = Database(url_of(path), timeout_s=0.2)
    yield database
    await database.aclose()


async def add(database: Database, *numbers: int) -> None:
    async with database.write() as connection:
        for number in numbers:
            await connection.execute(text("INSERT INTO parent VALUES (:id)"), {"id": number})


async def count(database: Database) -> int:
    async with database.read() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM parent")) or 0)


async def test_a_write_commits_when_its_block_ends_well_and_else_leaves_nothing(database: Database) -> None:
    await add(database, 1)
    with pytest.raises(IntegrityError):
        await add(database, 2, 1)
    assert await count(database) == 1


async def test_a_reader_goes_on_beside_the_writer_and_sees_what_was_committed(database: Database) -> None:
    async with database.write() as writing:
        await writing.execute(text("INSERT INTO parent VALUES (1)"))
        assert await count(database) == 0
    assert await count(database) == 1


async def test_a_read_sees_one_state_from_its_first_statement_on(database: Database) -> None:
    async with database.read() as reading:
        before = await reading.scalar(text("SELECT count(*) FROM parent"))
        async with database.write() as writing:
            await writing.execute(text("INSERT INTO parent VALUES (1)"))
        assert await reading.scalar(text("SELECT count(*) FROM parent")) == before


async def test_a_second_writer_waits_for_the_first(path: Path) -> None:
    database = Database(url_of(path), timeout_s=DEADLINE_S)

    async def add() -> None:
        async with database.write() as connection:
            number = await connection.scalar(text("SELECT count(*) FROM parent"))
            await connection.execute(text("INSERT INTO parent VALUES (:id)"), {"id": number})

    await asyncio.gather(*(add() for _ in range(20)))
    assert await count(database) == 20
    await database.aclose()


async def test_a_writer_that_waits_too_long_is_told_so_before_it_has_read_anything(database: Database) -> None:
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


async def test_a_file_that_is_not_there_is_away_and_stays_away(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/nothing.sqlite3")
    with pytest.raises(StoreUnavailable, match="unable to open"):
        await database.ping()
    assert list(tmp_path.iterdir()) == []
    await database.aclose()


async def test_it_comes_back_when_the_file_does(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path}/later.sqlite3")
    with pytest.raises(StoreUnavailable):
        await database.ping()
    sqlite3.connect(tmp_path / "later.sqlite3").execute("CREATE TABLE t (x)").connection.close()
    await database.ping()
    await database.aclose()


async def test_when_every_connection_is_taken_the_next_one_waits_and_is_told(path: Path) -> None:
    database = Database(url_of(path), pool_size=1, timeout_s=0.05)
    async with database.read() as connection:
        await connection.scalar(text("SELECT 1"))
        with pytest.raises(StoreUnavailable, match="no connection"):
            await database.ping()
    await database.ping()
    await database.aclose()


async def test_an_error_never_shows_a_statements_values(database: Database) -> None:
    with pytest.raises((StoreUnavailable, ProgrammingError)) as failed:
        async with database.read() as connection:
            await connection.execute(text("SELECT * FROM nowhere WHERE x = :x"), {"x": "tell-nobody"})
    assert "tell-nobody" not in f"{failed.value} {failed.value.__cause__}"


@pytest.mark.parametrize("url", ["", "nonsense", "sqlite://", "sqlite:///:memory:"])
def test_a_url_that_cannot_be_used_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(SettingsInvalid, match="sqlite:///PATH"):
        Database(url)
