"""A sale by one statement: all of it, or nothing; it sees what was committed before it got its lock."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import text

from chassis.database.database import Database
from examples.monolith.storage import tables as monolith
from extracted.shop.decision import DECREASED, Purchase
from extracted.shop.domain import Quantity
from extracted.shop.messages import to_command
from tests.support.connected import fresh_name
from tests.support.stores import on_sqlite
from tests.unit.extracted.shop.commands import cancel, decrease, fresh_id
from tests.unit.extracted.shop.databases import on_postgres
from tests.unit.extracted.shop.selling import Selling, assembled, selling

WAITS = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Selling]:
    async with selling(on_postgres(tmp_path)) as running:
        yield running


async def sell(shop: Selling, wanted: Purchase) -> bool:
    command = to_command(decrease(wanted))
    return await shop.sales.decisions.sell(wanted, shop.sales._answer(command, DECREASED))


async def written(shop: Selling) -> tuple[int, int, int]:
    """Decisions, rows of `transactions`, answers."""
    rows = shop.data.rows(monolith.transactions)
    return await shop.count(shop.tables.decisions), len(rows), len(await shop.put())


@pytest.mark.connected
async def test_all_of_it_is_written(shop: Selling) -> None:
    wanted = shop.buyer()
    assert await sell(shop, wanted)
    (decided,) = await shop.rows(shop.tables.decisions)
    assert [decided[name] for name in ("purchase_id", "user_id", "item_id")] == [*vars_of(wanted)]
    assert (decided["outcome"], decided["reason"]) == ("decreased", None)
    (row,) = shop.data.rows(monolith.transactions)
    assert [row[name] for name in ("id", "user_id", "Object_id", "deleted_at")] == [*vars_of(wanted), None]
    assert row["created_at"] == row["updated_at"] == decided["decided_at"]
    assert [answer.body for answer in await shop.put()] == [{"purchaseId": wanted.id}]


def vars_of(wanted: Purchase) -> tuple[str, str, str]:
    return wanted.id, wanted.user_id, wanted.item_id


@pytest.mark.connected
@pytest.mark.parametrize("is_cancel", [True, False])
async def test_what_is_decided_is_not_decided_again(shop: Selling, is_cancel: bool) -> None:
    wanted = shop.buyer()
    await shop.asked(cancel(wanted) if is_cancel else decrease(wanted))
    shop.data.delete(monolith.transactions, wanted.id)
    before = await written(shop)
    assert not await sell(shop, wanted)
    assert await written(shop) == before


@pytest.mark.connected
async def test_what_the_user_has_is_not_sold_again(shop: Selling) -> None:
    first = shop.buyer()
    assert await sell(shop, first)
    assert not await sell(shop, replace(first, id=fresh_id()))
    assert await written(shop) == (1, 1, 1)


@pytest.mark.connected
async def test_a_user_who_is_gone_buys_nothing(shop: Selling) -> None:
    assert not await sell(shop, replace(shop.buyer(), user_id=fresh_id()))
    assert await written(shop) == (0, 0, 0)


@pytest.mark.connected
async def test_an_item_with_a_quantity_is_not_for_this_way(shop: Selling) -> None:
    wanted = shop.buyer()
    await shop.quantities.set(wanted.item_id, Quantity(5))
    assert not await sell(shop, wanted)
    assert await written(shop) == (0, 0, 0)


@pytest.mark.connected
async def test_where_its_row_has_no_place_nothing_is_written(shop: Selling) -> None:
    wanted = shop.buyer()
    shop.data.add_purchase(shop.buyer().user_id, fresh_id(), id=wanted.id)
    assert not await sell(shop, wanted)
    assert await written(shop) == (0, 1, 0)


@pytest.mark.connected
async def test_it_sees_what_was_sold_while_it_waited(shop: Selling) -> None:
    first = shop.buyer()
    second, command = replace(first, id=fresh_id()), to_command(decrease(first))
    async with shop.sales.decisions.transaction(first) as deciding:
        waiting = asyncio.create_task(sell(shop, second))
        async with asyncio.timeout(10), shop.database.read() as watching:
            while not (await watching.execute(text(WAITS))).scalar():
                await asyncio.sleep(0.01)
        await deciding.record(first, DECREASED)
        await deciding.answer(shop.sales._answer(command, DECREASED))
    assert not await waiting
    assert await written(shop) == (1, 1, 1)


@pytest.mark.connected
async def test_without_the_right_to_temporary_objects_the_long_way_sells(shop: Selling) -> None:
    engine = shop.database.engine
    async with engine.begin() as owner:
        await owner.execute(text(f"CREATE ROLE {(user := fresh_name())} LOGIN"))
        await owner.execute(text(f"REVOKE TEMPORARY ON DATABASE {engine.url.database} FROM PUBLIC"))
        await owner.execute(text(f"GRANT ALL ON SCHEMA shop TO {user}"))
        for schema in ("shop", "public"):
            await owner.execute(text(f"GRANT ALL ON ALL TABLES IN SCHEMA {schema} TO {user}"))
    database = Database(engine.url.set(drivername="postgresql", username=user).render_as_string(hide_password=False))
    try:
        limited, wanted = assembled(shop.data, database), shop.buyer()
        assert not await sell(limited, wanted)
        assert await written(limited) == (0, 0, 0)
        assert await limited.asked(decrease(wanted)) == [("shop.quantity_decreased.v1", None)]
    finally:
        await database.aclose()
        async with engine.begin() as owner:
            await owner.execute(text(f"DROP OWNED BY {user}"))
            await owner.execute(text(f"DROP ROLE {user}"))


async def test_a_store_without_such_a_way_writes_nothing(tmp_path: Path) -> None:
    async with selling(on_sqlite(tmp_path)) as shop:
        assert not await sell(shop, shop.buyer())
        assert await written(shop) == (0, 0, 0)
