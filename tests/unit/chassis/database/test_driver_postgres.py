"""What is done on PostgreSQL's driver itself keeps the promises of `write` and `look`."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import asyncpg  # type: ignore[import-untyped]
import pytest
from sqlalchemy import Column, DateTime, Integer, MetaData, Table, Uuid, bindparam, insert, select, text, update
from sqlalchemy.exc import IntegrityError

from chassis.database.database import Database
from chassis.database.prepared import PreparedStatement
from chassis.store import StoreUnavailable
from tests.support.connected import fresh_postgres

pytestmark = pytest.mark.connected
CLOSED = "postgresql://postgres@127.0.0.1:1/nowhere"
THING = Table(
    "thing",
    MetaData(),
    Column("id", Integer, primary_key=True),
    Column("at", DateTime(timezone=True)),
    Column("other", Uuid(as_uuid=False)),
)
ADD, ALL = PreparedStatement(insert(THING), "id", "at", "other"), PreparedStatement(select(THING).order_by(THING.c.id))
CHANGE = PreparedStatement(
    update(THING).where(THING.c.id == bindparam("of_id")).values(id=bindparam("to", type_=Integer))
)
SLEEP, ENDED = (
    PreparedStatement(text("SELECT pg_sleep(60)")),
    PreparedStatement(text("SELECT pg_terminate_backend(pg_backend_pid())")),
)
PID = PreparedStatement(text("SELECT pg_backend_pid() AS pid"))
OTHER = "6e2b1a52-54f3-4f25-9e4e-7a3f9b0f9b11"


@pytest.fixture(scope="module")
def url() -> str:
    return fresh_postgres()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url, pool_size=2)
    async with database.write() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS thing"))
        await connection.execute(text("CREATE TABLE thing (id integer PRIMARY KEY, at timestamptz, other uuid)"))
    yield database
    await database.aclose()


@pytest.fixture
async def impatient(url: str, database: Database) -> AsyncIterator[Database]:
    """For what is to take too long."""
    impatient = Database(url, timeout_s=1, pool_size=2)
    yield impatient
    await impatient.aclose()


def thing(id: int) -> dict[str, object]:
    return {"id": id, "at": datetime(2026, 1, 1, tzinfo=UTC), "other": OTHER}


async def work(database: Database, *numbers: int, fails: bool = False) -> None:
    async with database.prepared_write() as connection:
        for number in numbers:
            await ADD.on(connection, thing(number))
        if fails:
            raise ZeroDivisionError


async def ids(database: Database) -> list[int]:
    return [row.id for row in await database.execute(ALL, {}, writes=False)]


async def test_values_come_back_as_the_engine_gives_them(database: Database) -> None:
    await database.execute(ADD, thing(1))
    (row,) = await database.execute(ALL, {}, writes=False)
    async with database.look() as connection:
        assert tuple(row) == tuple((await connection.execute(select(THING))).one())
    assert (row.id, row.at, row.other) == tuple(thing(1).values())


async def test_work_commits_when_its_block_ends_well_and_else_leaves_nothing(database: Database) -> None:
    await work(database, 1)
    with pytest.raises(IntegrityError):
        await work(database, 2, 1)
    with pytest.raises(ZeroDivisionError):
        await work(database, 3, fails=True)
    assert await ids(database) == [1]


async def test_work_that_is_cancelled_leaves_nothing(database: Database) -> None:
    added = asyncio.Event()

    async def working() -> None:
        async with database.prepared_write() as connection:
            await ADD.on(connection, thing(1))
            added.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(working())
    async with asyncio.timeout(20):
        await added.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await database.execute(ADD, thing(1))  # waits for the end of the other, and finds no row of it


async def test_an_error_that_was_passed_over_is_no_commit(database: Database) -> None:
    async def passing_over() -> None:
        async with database.prepared_write() as connection:
            await ADD.on(connection, thing(1))
            with pytest.raises(asyncpg.UniqueViolationError):
                await ADD.on(connection, thing(1))

    with pytest.raises(RuntimeError, match="was ignored"):
        await passing_over()
    assert await ids(database) == []


async def test_a_row_that_is_locked_for_too_long_is_away(database: Database, impatient: Database) -> None:
    await database.execute(ADD, thing(1))
    async with database.prepared_write() as holding:
        await CHANGE.on(holding, {"of_id": 1, "to": 2})
        with pytest.raises(StoreUnavailable, match="timeout"):
            await impatient.execute(CHANGE, {"of_id": 1, "to": 3})
    assert await ids(database) == [2]


async def test_what_runs_for_too_long_is_cancelled(impatient: Database) -> None:
    with pytest.raises(StoreUnavailable, match="timeout"):
        await impatient.execute(SLEEP, {})
    assert await ids(impatient) == []


async def test_a_deadlock_is_away_for_one_of_two(url: str) -> None:
    database = Database(url)
    for number in (1, 2):
        await database.execute(ADD, thing(number + 10))
    both = asyncio.Barrier(2)

    async def change(first: int, second: int) -> None:
        async with database.prepared_write() as connection:
            await CHANGE.on(connection, {"of_id": first, "to": first})
            async with asyncio.timeout(4):
                await both.wait()
            await CHANGE.on(connection, {"of_id": second, "to": second})

    ended = await asyncio.gather(change(11, 12), change(12, 11), return_exceptions=True)
    await database.aclose()
    assert [type(error) for error in ended if error] == [StoreUnavailable]


async def test_a_connection_that_is_ended_at_work_is_away_and_replaced(database: Database) -> None:
    with pytest.raises(StoreUnavailable):
        await database.execute(ENDED, {})
    assert await ids(database) == []


async def test_a_connection_that_was_ended_while_it_rested_is_replaced(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end is not known here before it is asked: as where a firewall forgets a connection."""
    (row,) = await database.execute(PID, {})
    monkeypatch.setattr("chassis.database.driver.TRUSTED_S", -1.0)
    assert database._driver is not None
    raw = database._driver._idle[0].connection
    monkeypatch.setattr(type(raw), "is_closed", lambda _connection: False)
    raw._transport.abort()
    (other,) = await database.execute(PID, {})
    assert other.pid != row.pid


async def test_a_connection_that_has_rested_is_asked_and_used_again(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    (row,) = await database.execute(PID, {})
    monkeypatch.setattr("chassis.database.driver.TRUSTED_S", -1.0)
    (again,) = await database.execute(PID, {})
    assert again.pid == row.pid


async def test_when_all_connections_are_taken_another_waits_and_then_it_is_away(impatient: Database) -> None:
    async with impatient.prepared_write(), impatient.prepared_write():
        with pytest.raises(StoreUnavailable, match="no connection became free"):
            await impatient.execute(ALL, {})
        async with impatient.look() as connection:  # which has connections of its own
            await connection.execute(text("SELECT 1"))
    assert await ids(impatient) == []


async def test_a_server_that_is_away_is_told() -> None:
    away = Database(CLOSED, timeout_s=1)
    with pytest.raises(StoreUnavailable):
        await away.execute(ALL, {})
    with pytest.raises(StoreUnavailable):
        async with away.prepared_write():
            pass
    await away.aclose()


async def test_an_error_never_shows_values(database: Database) -> None:
    await database.execute(ADD, thing(1))
    with pytest.raises(IntegrityError) as raised:
        await database.execute(ADD, thing(1))
    assert OTHER not in str(raised.value)
