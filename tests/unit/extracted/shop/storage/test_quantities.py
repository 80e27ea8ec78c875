"""How many are left: set at any moment, also while they are sold; what is told adds up at each of them."""

import asyncio

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from extracted.shop.domain import Quantity
from extracted.shop.messages import to_command
from tests.unit.extracted.shop.commands import decrease, fresh_id
from tests.unit.extracted.shop.selling import Selling

MOST = 2**31 - 1
UNLIMITED = Quantity(None)


async def sell(shop: Selling, item: str, times: int = 1) -> list[tuple[str, object]]:
    messages = [decrease(shop.buyer(item)) for _ in range(times)]
    await asyncio.gather(*(shop.sales.decide(to_command(message)) for message in messages))
    return await shop.answers(*messages)


async def test_more_and_less_are_recorded_beside_what_was_sold(shop: Selling) -> None:
    item = fresh_id()
    await shop.quantities.set(item, Quantity(10))
    await sell(shop, item, 3)
    await shop.quantities.set(item, Quantity(50))
    assert await shop.stock(item) == (10, 43, 3, 50)
    await sell(shop, item)
    await shop.quantities.set(item, Quantity(0))
    assert await shop.stock(item) == (10, -6, 4, 0)
    await shop.quantities.set(item, Quantity(MOST))
    assert await shop.stock(item) == (10, MOST - 6, 4, MOST)


async def test_unlimited_again_sells_without_counting_and_can_be_limited_again(shop: Selling) -> None:
    item = fresh_id()
    await shop.quantities.set(item, UNLIMITED)
    assert await shop.stock(item) is None
    await shop.quantities.set(item, Quantity(1))
    await sell(shop, item)
    await shop.quantities.set(item, UNLIMITED)
    assert {kind for kind, _ in await sell(shop, item, 2)} == {"shop.quantity_decreased.v1"}
    assert (await shop.quantities.find(item), await shop.stock(item)) == (UNLIMITED, (1, 0, 1, None))
    await shop.quantities.set(item, Quantity(5))
    assert await shop.stock(item) == (1, 5, 1, 5)


async def test_an_item_made_unlimited_while_one_is_taken_is_sold(shop: Selling) -> None:
    item = fresh_id()
    await shop.quantities.set(item, Quantity(0))
    await shop.quantities.set(item, UNLIMITED)
    async with shop.sales.decisions.transaction([shop.buyer(item)]) as deciding:
        assert await deciding.take(item)
    assert await shop.stock(item) == (0, 0, 1, None)


async def test_setting_while_many_buy_never_loses_count(shop: Selling) -> None:
    item = fresh_id()
    await shop.quantities.set(item, Quantity(5))

    async def restock() -> None:
        for left in (3, 7, 0, 4):
            await shop.quantities.set(item, Quantity(left))

    told, _ = await asyncio.gather(sell(shop, item, 25), restock())
    sold = [kind for kind, _ in told].count("shop.quantity_decreased.v1")
    stock = await shop.stock(item)
    assert stock is not None
    initial, restocked, counted, available = stock
    assert (initial, counted) == (5, sold)
    assert available is not None
    assert available >= 0
    assert initial + restocked == available + counted


async def test_the_first_quantity_set_by_two_at_once_is_one_of_both(shop: Selling) -> None:
    item = fresh_id()
    await asyncio.gather(*(shop.quantities.set(item, Quantity(left)) for left in (3, 8)))
    stock = await shop.stock(item)
    assert stock in ((3, 5, 0, 8), (8, -5, 0, 3))


@pytest.mark.parametrize("changes", [{"available": -1, "sold": 2}, {"available": 5}, {"sold": 1}, {"sold": -1}])
async def test_the_database_itself_refuses_what_does_not_add_up(shop: Selling, changes: dict[str, int]) -> None:
    item = fresh_id()
    await shop.quantities.set(item, Quantity(1))
    with pytest.raises(IntegrityError):
        async with shop.database.write() as connection:
            await connection.execute(update(shop.tables.stock).values(changes))
