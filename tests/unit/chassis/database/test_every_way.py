"""What every way to the database promises: all or nothing, who waits for whom, and what it means to be away."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from chassis.database.database import Database
from chassis.database.prepared import PreparedStatement
from chassis.store import StoreUnavailable
from tests.unit.chassis.database.ways import (
    ADD,
    ADD_EACH,
    ALL,
    CHANGE,
    CHANGE_EACH,
    EVERY_WAY,
    FIND_EACH,
    SECRET,
    Way,
    add,
    ids,
    thing,
)

PATIENCE_S = 1.0


@pytest.fixture(params=EVERY_WAY)
def way(request: pytest.FixtureRequest) -> Way:
    found: Way = request.param
    return found


@pytest.fixture
def url(way: Way, tmp_path: Path) -> str:
    return way.made(tmp_path)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url, pool_size=2, timeout_s=20)
    yield database
    await database.aclose()


@pytest.fixture
async def impatient(url: str) -> AsyncIterator[Database]:
    """For what is to take too long."""
    database = Database(url, pool_size=1, timeout_s=PATIENCE_S)
    yield database
    await database.aclose()


async def test_a_write_commits_when_its_block_ends_well_and_else_leaves_nothing(way: Way, database: Database) -> None:
    await add(way, database, 1)
    with pytest.raises(IntegrityError) as failed:
        await add(way, database, 2, 1)
    assert SECRET not in f"{failed.value} {failed.value.__cause__}"

    async def failing() -> None:
        async with way.write(database) as connection:
            await ADD.on(connection, thing(3))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await failing()
    assert await ids(way, database) == [1]


async def test_a_write_that_is_cancelled_leaves_nothing(way: Way, database: Database) -> None:
    added = asyncio.Event()

    async def working() -> None:
        async with way.write(database) as connection:
            await ADD.on(connection, thing(1))
            added.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(working())
    async with asyncio.timeout(60):
        await added.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await add(way, database, 1)  # waits for the end of the other, and finds no row of it


async def test_values_come_back_as_they_were_given(way: Way, database: Database) -> None:
    await database.execute(ADD, thing(1))
    (row,) = await database.execute(ALL, {}, writes=False)
    at = row.at if row.at.tzinfo else row.at.replace(tzinfo=thing(1)["at"].tzinfo)  # type: ignore[attr-defined]
    assert {"id": row.id, "at": at, "other": row.other} == thing(1)


async def test_rows_are_written_together_each_as_it_would_be_alone(way: Way, database: Database) -> None:
    async with way.write(database) as connection:
        await ADD_EACH.on(connection, [thing(1), thing(2)], [thing(3)])
        await ADD_EACH.on(connection, [], [thing(4)])
        await ADD_EACH.on(connection, [], [])
        changes: list[dict[str, object]] = [
            {"of_id": 1, "other": None},
            {"of_id": 9, "other": "x"},
            {"of_id": 4, "other": "é"},
        ]
        changed = await CHANGE_EACH.on(connection, changes)
        assert await CHANGE_EACH.on(connection, []) == ()
        found = await FIND_EACH.on(connection, changes)
        assert sorted(row.id for row in found) == sorted(row.id for row in changed)
    assert sorted((row.id, row.other) for row in changed) == [(1, None), (4, "é")]
    assert await ids(way, database) == [1, 2, 3, 4]
    with pytest.raises(IntegrityError):
        async with way.write(database) as connection:
            await ADD_EACH.on(connection, [thing(5)], [thing(1)])
    assert await ids(way, database) == [1, 2, 3, 4]


async def test_a_lock_is_not_waited_for_for_too_long(way: Way, database: Database, impatient: Database) -> None:
    await add(way, database, 1)
    async with way.write(database) as holding:
        await CHANGE.on(holding, {"of_id": 1, "to": 2})
        with pytest.raises(StoreUnavailable, match=r"timeout|locked"):
            async with way.write(impatient) as waiting:
                await CHANGE.on(waiting, {"of_id": 1, "to": 3})
    assert await ids(way, database) == [2]


async def test_writers_lose_nothing_of_each_other(way: Way, database: Database) -> None:
    await add(way, database, 0)
    increase = PreparedStatement(text("UPDATE thing SET id = id + 1"))

    async def one() -> None:
        async with way.write(database) as connection:
            await increase.on(connection, {})

    await asyncio.gather(*(one() for _ in range(20)))
    assert await ids(way, database) == [20]


async def test_when_every_connection_is_taken_the_next_one_waits_and_is_told(way: Way, impatient: Database) -> None:
    async with way.write(impatient):
        with pytest.raises(StoreUnavailable, match="no connection became free"):
            async with way.write(impatient):
                pytest.fail("more connections than there may be")
    assert await ids(way, impatient) == []


async def test_a_store_that_is_not_there_is_away(way: Way) -> None:
    away = Database(way.missing, timeout_s=2)
    for open in (way.write, way.look):
        with pytest.raises(StoreUnavailable):
            async with open(away):
                pytest.fail("it is there")
    await away.aclose()
