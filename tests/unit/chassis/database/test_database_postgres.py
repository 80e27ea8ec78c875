"""The same promises on PostgreSQL: who sees what, who waits for whom, and what it means to be away."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, IntegrityError, ProgrammingError

from chassis.database.database import Database
from chassis.store import StoreUnavailable
from tests.support.connected import fresh_postgres

pytestmark = pytest.mark.connected
CLOSED = "postgresql://postgres@127.0.0.1:1/nowhere"


@pytest.fixture(scope="module")
def url() -> str:
    return fresh_postgres()


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url)
    async with database.write() as connection:
        await connection.execute(text("DROP TABLE IF EXISTS thing"))
        await connection.execute(text("CREATE TABLE thing (id integer PRIMARY KEY, at timestamptz DEFAULT now())"))
    yield database
    await database.aclose()


@pytest.fixture
async def impatient(url: str, database: Database) -> AsyncIterator[Database]:
    """For what is to take too long."""
    impatient = Database(url, pool_size=1, timeout_s=1)
    yield impatient
    await impatient.aclose()


async def add(database: Database, *numbers: int) -> None:
    async with database.write() as connection:
        for number in numbers:
            await connection.execute(text("INSERT INTO thing VALUES (:id)"), {"id": number})


async def count(database: Database) -> int:
    async with database.read() as connection:
        return int(await connection.scalar(text("SELECT count(*) FROM thing")) or 0)


async def test_a_write_commits_when_its_block_ends_well_and_else_leaves_nothing(database: Database) -> None:
    await add(database, 1)
    with pytest.raises(IntegrityError):
        await add(database, 2, 1)
    assert await count(database) == 1


async def test_a_read_sees_one_state_from_its_first_statement_on(database: Database) -> None:
    async with database.read() as reading:
        before = await reading.scalar(text("SELECT count(*) FROM thing"))
        await add(database, 1)
        assert await reading.scalar(text("SELECT count(*) FROM thing")) == before
    assert await count(database) == 1


async def test_a_read_writes_nothing(database: Database) -> None:
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with database.read() as connection:
            await connection.execute(text("INSERT INTO thing VALUES (1)"))
    await add(database, 1)  # the connection that comes back to the pool writes again


async def test_to_a_writer_a_server_that_takes_no_writes_is_away(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
    with pytest.raises(StoreUnavailable, match="read-only"):
        await add(database, 1)


async def test_a_conditional_write_loses_nothing(url: str, database: Database) -> None:
    await add(database, 0)
    patient = Database(url)

    async def increase() -> None:
        async with patient.write() as connection:
            await connection.execute(text("UPDATE thing SET id = id + 1"))

    await asyncio.gather(*(increase() for _ in range(20)))
    async with patient.read() as connection:
        assert await connection.scalar(text("SELECT id FROM thing")) == 20
    await patient.aclose()


async def test_a_row_that_is_locked_for_too_long_is_away(database: Database, impatient: Database) -> None:
    await add(database, 1)
    async with database.write() as holding:
        await holding.execute(text("UPDATE thing SET id = 2"))
        with pytest.raises(StoreUnavailable, match="timeout"):
            async with impatient.write() as waiting:
                await waiting.execute(text("UPDATE thing SET id = 3"))


async def test_a_statement_that_runs_for_too_long_is_cancelled(impatient: Database) -> None:
    with pytest.raises(StoreUnavailable, match="timeout"):
        async with impatient.read() as connection:
            await connection.execute(text("SELECT pg_sleep(60)"))
    await impatient.ping()


async def test_a_connection_that_the_server_has_ended_is_replaced(url: str, database: Database) -> None:
    async with database.read() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
    other = Database(url)
    async with other.write() as connection:
        await connection.execute(text("SELECT pg_terminate_backend(:pid)"), {"pid": raw.get_server_pid()})
    await other.aclose()
    async with asyncio.timeout(5):
        while not raw.is_closed():
            await asyncio.sleep(0.001)
    await database.ping()


async def test_a_connection_that_was_ended_while_it_rested_is_replaced(
    url: str, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its end is not known here before it is asked: as where a firewall forgets a connection."""
    async with database.read() as connection:
        raw = (await connection.get_raw_connection()).driver_connection
        assert raw is not None
        own = raw.get_server_pid()
    monkeypatch.setattr("chassis.database.database.TRUSTED_S", -1.0)
    monkeypatch.setattr(type(raw), "is_closed", lambda _connection: False)
    raw._transport.abort()
    async with database.look() as connection:
        assert await connection.scalar(text("SELECT pg_backend_pid()")) != own


async def test_a_single_look_is_one_statement_without_a_transaction(database: Database) -> None:
    async with database.look() as connection:
        assert await connection.scalar(text("SELECT pg_current_xact_id_if_assigned() IS NULL"))
        first = await connection.scalar(text("SELECT now()"))
        assert await connection.scalar(text("SELECT now()")) != first  # now() is the time of the transaction


async def test_a_connection_that_is_ended_at_work_is_away(database: Database) -> None:
    with pytest.raises(StoreUnavailable):
        async with database.write() as connection:
            await connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))


async def test_a_time_comes_back_with_its_zone(database: Database) -> None:
    await add(database, 1)
    async with database.read() as connection:
        at = await connection.scalar(text("SELECT at FROM thing"))
    assert isinstance(at, datetime)
    assert at.utcoffset() == datetime.now(UTC).utcoffset()


@pytest.mark.parametrize("away", [CLOSED, "postgresql://postgres@nowhere.invalid/nowhere"])
async def test_a_server_that_is_not_there_is_away(away: str) -> None:
    database = Database(away, timeout_s=2)
    with pytest.raises(StoreUnavailable):
        await database.ping()
    await database.aclose()


async def test_a_database_that_is_not_there_is_away(url: str) -> None:
    database = Database(f"{url}_not")
    with pytest.raises(StoreUnavailable, match="does not exist"):
        await database.ping()
    await database.aclose()


async def test_when_every_connection_is_taken_the_next_one_waits_and_is_told(impatient: Database) -> None:
    async with impatient.read():
        with pytest.raises(StoreUnavailable, match="no connection"):
            await impatient.ping()
    await impatient.ping()


async def test_an_error_never_shows_a_statements_values(database: Database) -> None:
    with pytest.raises(ProgrammingError) as failed:
        async with database.read() as connection:
            await connection.execute(text("SELECT * FROM nowhere WHERE x = :x"), {"x": "tell-nobody"})
    assert "tell-nobody" not in f"{failed.value} {failed.value.__cause__}"


async def lose(database: Database) -> None:
    async with database.read() as connection:
        direct: Any = (await connection.get_raw_connection()).driver_connection
        direct.terminate()
        await direct.fetch("SELECT 1")


async def test_what_the_driver_says_of_a_connection_that_is_no_more_means_away(database: Database) -> None:
    """As it does while SQLAlchemy prepares a new one, and lets it through."""
    with pytest.raises(StoreUnavailable, match="closed"):
        await lose(database)
