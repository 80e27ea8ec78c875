"""A purchase by one statement: all of it, or nothing."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from chassis.messaging.envelope import new_id
from examples.monolith.storage.tables import users
from extracted.account.purchases import messages
from extracted.account.purchases.domain.purchase import Item, Outcome, Purchase, Request
from extracted.account.purchases.domain.saga import State
from tests.support.connected import waiting
from tests.support.monolith_file import MonolithData
from tests.support.stores import on_real_parts, on_sqlite
from tests.unit.extracted.account.purchases.world import NOW, World, opened

PRICE = 10


def purchase(user_id: str, item_id: str, price: int = PRICE) -> Purchase:
    return Purchase(new_id(), user_id, item_id, Item(item_id, price, "hint", {}), price, State.DEBITED, NOW)


def request(of: Purchase) -> Request:
    return Request(of.id, of.user_id, of.item_id, "digest", Outcome.ACCEPTED, of.id, NOW)


async def buy(world: World, wanted: Purchase, kept: Request | None) -> int | None:
    command = messages.command(messages.DECREASE, wanted, NOW, None)
    return await world.store.buy(wanted, NOW + timedelta(seconds=30), messages.COMMANDS_EXCHANGE, command, kept)


async def written(world: World) -> tuple[int, int, int, int]:
    """How many purchases, requests, lines, commands."""
    rows = await world.purchases(), await world.requests(), await world.ledger(), await world.commands()
    purchases, requests, lines, commands = (len(found) for found in rows)
    return purchases, requests, lines, commands


@pytest.fixture
def monolith(tmp_path: Path) -> Iterator[MonolithData]:
    data = MonolithData(on_real_parts(tmp_path))
    yield data
    data.close()


@pytest.mark.connected
@pytest.mark.parametrize("by_message", [True, False])
async def test_all_of_it_is_written(world: World, by_message: bool) -> None:
    wanted = purchase(world.user(25), world.shop.add(PRICE))
    kept = request(wanted) if by_message else None
    assert await buy(world, wanted, kept) == 15
    assert await world.purchases() == [replace(wanted, asks=1)]
    assert await world.requests() == ([kept] if by_message else [])
    assert [(line.delta, line.points_after, line.at) for line in await world.ledger()] == [(-PRICE, 15, NOW)]
    assert [command.causation_id for command in await world.commands()] == [wanted.id]
    assert world.points(wanted.user_id) == 15


@pytest.mark.connected
async def test_a_request_that_is_known_writes_nothing(world: World) -> None:
    first = purchase(world.user(25), world.shop.add(PRICE))
    assert await buy(world, first, request(first)) == 15
    second = purchase(first.user_id, world.shop.add(PRICE))
    assert await buy(world, second, replace(request(second), id=first.id)) is None
    assert await written(world) == (1, 1, 1, 1)
    assert world.points(first.user_id) == 15


@pytest.mark.connected
@pytest.mark.parametrize("by_message", [True, False])
async def test_a_purchase_that_is_open_is_not_paid_again_and_its_request_not_kept(
    world: World, by_message: bool
) -> None:
    first = purchase(world.user(25), world.shop.add(PRICE))
    assert await buy(world, first, request(first)) == 15
    second = purchase(first.user_id, first.item_id)
    assert await buy(world, second, request(second) if by_message else None) is None
    assert await written(world) == (1, 1, 1, 1)
    assert world.points(first.user_id) == 15


@pytest.mark.connected
@pytest.mark.parametrize("by_message", [True, False])
@pytest.mark.parametrize(("points", "price"), [(9, 10), (2**31 - 1, 2**31)])
async def test_too_few_points_write_nothing(world: World, by_message: bool, points: int, price: int) -> None:
    wanted = purchase(world.user(points), world.shop.add(price), price)
    assert await buy(world, wanted, request(wanted) if by_message else None) is None
    assert await written(world) == (0, 0, 0, 0)
    assert world.points(wanted.user_id) == points


@pytest.mark.connected
@pytest.mark.parametrize("by_message", [True, False])
async def test_points_that_another_takes_at_the_same_moment_write_nothing(world: World, by_message: bool) -> None:
    wanted = purchase(world.user(PRICE), world.shop.add(PRICE))
    async with world.database.write() as other:
        await other.execute(update(users).where(users.c.id == wanted.user_id).values(points=0))
        buying = asyncio.create_task(buy(world, wanted, request(wanted) if by_message else None))
        async with asyncio.timeout(10):
            while not waiting(world.monolith.url):
                await asyncio.sleep(0.01)
        assert not buying.done()
    assert await buying is None
    assert await written(world) == (0, 0, 0, 0)


async def test_a_store_without_such_a_way_writes_nothing(tmp_path: Path) -> None:
    monolith = MonolithData(on_sqlite(tmp_path))
    async with opened(monolith) as world:
        wanted = purchase(world.user(25), world.shop.add(PRICE))
        assert await buy(world, wanted, request(wanted)) is None
        assert await written(world) == (0, 0, 0, 0)
    monolith.close()
