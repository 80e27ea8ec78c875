"""PostgreSQL's own, by engine and driver: snapshots, time-outs, deadlocks, and connections that end."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic
from typing import Any

import asyncpg  # type: ignore[import-untyped]
import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import deadline
from chassis.database.database import Database
from chassis.database.prepared import AnyConnection, PreparedStatement
from chassis.deadline import Deadline, DeadlinePassed
from chassis.store import StoreUnavailable
from tests.unit.chassis.database.ways import (
    ADD,
    ADD_EACH,
    ALL,
    CHANGE,
    CHANGE_EACH,
    FIND_EACH,
    ON_POSTGRES,
    Way,
    add,
    ids,
    on_postgres,
    thing,
)

pytestmark = pytest.mark.connected
PID = PreparedStatement(text("SELECT pg_backend_pid() AS pid"))
SLEEP = PreparedStatement(text("SELECT pg_sleep(60)"))
ENDED = PreparedStatement(text("SELECT pg_terminate_backend(pg_backend_pid())"))
FILL = PreparedStatement(text("INSERT INTO thing SELECT generate_series(1, 20000)"))
SCANS = PreparedStatement(text("SELECT seq_scan AS of_all, idx_tup_fetch AS rows FROM pg_stat_xact_user_tables"))
EACH_WAY = pytest.mark.parametrize("way", ON_POSTGRES)


@pytest.fixture
def url(tmp_path: Path) -> str:
    return on_postgres(tmp_path)


@pytest.fixture
async def database(url: str) -> AsyncIterator[Database]:
    database = Database(url, pool_size=1, timeout_s=30)
    yield database
    await database.aclose()


async def raw(connection: AnyConnection) -> Any:
    """The driver's connection."""
    if isinstance(connection, AsyncConnection):
        return (await connection.get_raw_connection()).driver_connection
    return connection


async def pid(way: Way, database: Database) -> int:
    async with way.look(database) as connection:
        return int((await PID.on(connection, {}))[0].pid)


async def test_a_read_sees_one_state_and_writes_nothing(database: Database, url: str) -> None:
    other, count = Database(url), text("SELECT count(*) FROM thing")
    async with database.read() as reading:
        assert await reading.scalar(count) == 0
        await other.execute(ADD, thing(1))
        assert await reading.scalar(count) == 0
    with pytest.raises(DBAPIError, match="read-only transaction"):
        async with database.read() as connection:
            await ADD.on(connection, thing(2))
    async with database.write() as connection:  # the connection that comes back to the pool writes again
        await ADD.on(connection, thing(3))
    await other.aclose()


async def test_to_a_writer_a_server_that_takes_no_writes_is_away(database: Database) -> None:
    async with database.write() as connection:
        await connection.execute(text("SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY"))
    with pytest.raises(StoreUnavailable, match="read-only"):
        async with database.write() as connection:
            await ADD.on(connection, thing(1))


async def test_a_look_is_one_statement_without_a_transaction(database: Database) -> None:
    async with database.look() as connection:
        assert await connection.scalar(text("SELECT pg_current_xact_id_if_assigned() IS NULL"))
        first = await connection.scalar(text("SELECT now()"))
        assert await connection.scalar(text("SELECT now()")) != first  # now() is the time of the transaction


@EACH_WAY
async def test_a_statement_that_runs_for_too_long_is_cancelled(way: Way, url: str) -> None:
    impatient = Database(url, pool_size=1, timeout_s=1)
    with pytest.raises(StoreUnavailable, match="timeout"):
        async with way.look(impatient) as connection:
            await SLEEP.on(connection, {})
    assert await ids(way, impatient) == []
    await impatient.aclose()


async def test_a_transaction_of_several_callers_waits_for_no_lock(database: Database, url: str) -> None:
    """Neither for a row nor for a lock by number; alone it would wait for `timeout_s`."""
    await database.execute(ADD, thing(1))
    other = Database(url, timeout_s=20)
    async with database.prepared_write([7, -(2**63)]) as holding:
        await CHANGE.on(holding, {"of_id": 1, "to": 2})
        for locks in ((), (3, -(2**63))):
            with pytest.raises(StoreUnavailable, match="lock timeout"):
                async with other.prepared_write(locks, is_shared=True) as connection:
                    await CHANGE.on(connection, {"of_id": 1, "to": 3})
    async with other.prepared_write([7], is_shared=True) as connection:
        await CHANGE.on(connection, {"of_id": 2, "to": 3})
    await other.aclose()


@EACH_WAY
async def test_a_deadlock_is_away_for_one_of_two(way: Way, url: str) -> None:
    database, both = Database(url, pool_size=2, timeout_s=60), asyncio.Barrier(2)
    await add(way, database, 11, 12)

    async def change(first: int, second: int) -> None:
        async with way.write(database) as connection:
            await CHANGE.on(connection, {"of_id": first, "to": first})
            async with asyncio.timeout(60):
                await both.wait()
            await CHANGE.on(connection, {"of_id": second, "to": second})

    ended = await asyncio.gather(change(11, 12), change(12, 11), return_exceptions=True)
    await database.aclose()
    assert [type(error) for error in ended if error] == [StoreUnavailable]


@EACH_WAY
async def test_a_connection_that_is_ended_at_work_is_away_and_replaced(way: Way, database: Database) -> None:
    with pytest.raises(StoreUnavailable):
        async with way.write(database) as connection:
            await ENDED.on(connection, {})
    assert await ids(way, database) == []


@EACH_WAY
@pytest.mark.parametrize("is_told", [True, False])
async def test_a_connection_that_was_ended_while_it_rested_is_replaced(
    way: Way, database: Database, monkeypatch: pytest.MonkeyPatch, is_told: bool
) -> None:
    """Where it is not told (a firewall forgets a connection), it is asked before it is used."""
    own = await pid(way, database)
    for module in ("database", "driver"):
        monkeypatch.setattr(f"chassis.database.{module}.TRUSTED_S", -1.0)
    assert await pid(way, database) == own  # one that works is asked and used again
    async with way.look(database) as connection:
        resting = await raw(connection)
    if not is_told:
        monkeypatch.setattr(type(resting), "is_closed", lambda _connection: False)
    resting._transport.abort()
    async with asyncio.timeout(60):
        while is_told and not resting.is_closed():
            await asyncio.sleep(0.001)
    assert await pid(way, database) != own


@pytest.mark.parametrize("missing", ["{url}_not", "postgresql://postgres@nowhere.invalid/nowhere"])
async def test_a_database_or_a_host_that_is_not_there_is_away(url: str, missing: str) -> None:
    database = Database(missing.format(url=url), timeout_s=2)
    with pytest.raises(StoreUnavailable):
        await database.ping()
    await database.aclose()


async def test_engine_and_driver_starve_each_other_of_no_connection(database: Database) -> None:
    async with database.prepared_write(), database.look() as connection:
        await connection.execute(text("SELECT 1"))


async def test_an_error_that_was_ignored_is_no_commit(database: Database) -> None:
    async def ignoring() -> None:
        async with database.prepared_write() as connection:
            await ADD.on(connection, thing(1))
            with pytest.raises(asyncpg.UniqueViolationError):
                await ADD.on(connection, thing(1))

    with pytest.raises(RuntimeError, match="was ignored"):
        await ignoring()
    assert await database.execute(ALL, {}, writes=False) == []


async def test_what_the_driver_says_of_a_connection_that_is_no_more_means_away(database: Database) -> None:
    """As it does while SQLAlchemy prepares a new one, and lets it through."""
    with pytest.raises(StoreUnavailable, match="closed"):  # noqa: PT012
        async with database.read() as connection:
            direct = await raw(connection)
            direct.terminate()
            await direct.fetch("SELECT 1")


async def test_a_lookup_reads_its_rows_alone_even_if_it_was_prepared_on_an_empty_table(database: Database) -> None:
    async with database.prepared_look() as connection:
        assert [*await FIND_EACH.on(connection, [{"of_id": 1}])] == []
        await ADD_EACH.on(connection, [thing(number) for number in range(1000)], [])
    async with database.prepared_write() as connection:
        found = await FIND_EACH.on(connection, [{"of_id": 7}, {"of_id": 5000}, {"of_id": 9}])
        assert sorted(row.id for row in found) == [7, 9]
        (scans,) = await SCANS.on(connection, {})
        assert (scans.of_all, scans.rows) == (0, 2)


@pytest.mark.parametrize(("planned_s", "reads_all"), [(60.0, 1), (-1.0, 0)])
async def test_a_plan_of_a_small_table_does_not_outlive_its_seconds(
    database: Database, monkeypatch: pytest.MonkeyPatch, planned_s: float, reads_all: int
) -> None:
    monkeypatch.setattr("chassis.database.driver.PLANNED_S", planned_s)
    async with database.prepared_look() as connection:
        await CHANGE_EACH.on(connection, [{"of_id": 1, "other": "x"}])
        await FILL.on(connection, {})
    async with database.prepared_write() as connection:
        (before,) = await SCANS.on(connection, {})
        changed = await CHANGE_EACH.on(connection, [{"of_id": 7, "other": "x"}])
        assert [row.id for row in changed] == [7]
        (after,) = await SCANS.on(connection, {})
        assert after.of_all - before.of_all == reads_all


async def _sleeping(database: Database, how: str) -> None:
    opened = {
        "read": database.read,
        "write": database.write,
        "prepared look": database.prepared_look,
        "prepared write": database.prepared_write,
    }[how]
    async with opened() as connection:
        await SLEEP.on(connection, {})


@pytest.mark.parametrize("how", ["read", "write", "prepared look", "prepared write"])
async def test_a_statement_ends_with_the_deadline_of_its_request(url: str, how: str) -> None:
    database = Database(url, pool_size=1, timeout_s=600)
    deadline.current.set(Deadline(monotonic() + 0.2))
    begun = monotonic()
    with pytest.raises((StoreUnavailable, DeadlinePassed)):  # the second where connecting took so long
        await _sleeping(database, how)
    assert monotonic() - begun < 50, "the statement itself takes 60 s"
    await database.aclose()


@EACH_WAY
async def test_who_waits_for_a_connection_does_not_begin_once_nobody_waits_for_the_answer(
    database: Database, way: Way
) -> None:
    async with way.write(database) as connection:
        gone = False
        waiting = Deadline(monotonic() + 60, lambda: gone)
        deadline.current.set(waiting)
        asking = asyncio.create_task(ids(way, database))
        await asyncio.sleep(0)
        gone = True
        deadline.current.set(None)
        await PID.on(connection, {})
    with pytest.raises(DeadlinePassed):
        await asking
