"""Commands in, decisions out, as Account meets it: another process, on the embedded parts and on the real ones."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from chassis.messaging.envelope import Envelope
from chassis.messaging.open import open_broker
from chassis.messaging.port import Broker, Delivery
from chassis.messaging.topology import load
from examples.monolith.storage import tables as monolith
from extracted.shop.decision import Purchase
from extracted.shop.main import TOPOLOGY
from tests.support.connected import fresh_rabbit, waiting
from tests.support.monolith_file import MonolithData
from tests.support.stores import Stores, on_real_parts, on_sqlite
from tests.support.system.waiting import until
from tests.unit.extracted.shop.commands import cancel, decrease, purchase
from tests.unit.extracted.shop.running import (
    INTERNAL_TOKEN,
    Gateway,
    RunningShop,
    ask,
    bearer,
    running_seller,
)

pytestmark = pytest.mark.walk

WITHIN_S = 60.0
SALES_AT_ONCE = 5
DECREASED, CANCELLED = "shop.quantity_decreased.v1", "shop.purchase_cancelled.v1"


def sqlite_broker(folder: Path) -> str:
    return f"sqlite:///{folder / 'broker.sqlite3'}"


def rabbit(_folder: Path) -> str:
    return fresh_rabbit()


@dataclass(frozen=True)
class Parts:
    """What the shop runs on. `data`: the monolith's rows."""

    stores: Stores
    broker_url: str
    data: MonolithData
    gateway: Gateway
    folder: Path

    @contextmanager
    def shop(self) -> Iterator[RunningShop]:
        documents = {"DOCUMENTS_URL": self.stores.documents_url} if self.stores.documents_url else {}
        own = {"BROKER_URL": self.broker_url} | documents
        with running_seller(self.stores.database_url, self.gateway, self.folder, **own) as running:
            yield running

    def buyer(self) -> Purchase:
        wanted = purchase()
        self.data.add_user(user_id=wanted.user_id)
        return wanted

    def sold(self) -> list[str]:
        return [row["id"] for row in self.data.rows(monolith.transactions)]


OpenStores = Callable[[Path], Stores]
OpenBroker = Callable[[Path], str]


@pytest.fixture(
    params=[
        pytest.param((on_sqlite, sqlite_broker), id="embedded"),
        pytest.param((on_real_parts, rabbit), id="real parts", marks=pytest.mark.connected),
    ]
)
def parts(request: pytest.FixtureRequest, gateway: Gateway, tmp_path: Path) -> Iterator[Parts]:
    open_stores: OpenStores = request.param[0]
    open_url: OpenBroker = request.param[1]
    stores = open_stores(tmp_path)
    data = MonolithData(stores)
    yield Parts(stores, open_url(tmp_path), data, gateway, tmp_path)
    data.close()


class Account:
    """Its side of the queues."""

    def __init__(self, broker: Broker) -> None:
        self.broker = broker
        self.told: list[Envelope] = []

    async def ask(self, *commands: Envelope) -> None:
        for command in commands:
            await self.broker.publish("purchases.commands", command)

    async def answers(self, count: int) -> list[Envelope]:
        """As soon as there are so many in all."""
        await until_true(lambda: len(self.told) >= count)
        return self.told

    async def hear(self, delivery: Delivery) -> None:
        self.told.append(delivery.envelope())


@asynccontextmanager
async def account(parts: Parts) -> AsyncIterator[Account]:
    """All queues are there: those of the shop before it starts."""
    broker = open_broker(parts.broker_url, "account")
    await broker.declare(load(TOPOLOGY))
    it = Account(broker)
    await broker.consume("account.decisions", it.hear)
    try:
        yield it
    finally:
        await broker.aclose()


async def until_true(holds: Callable[[], bool]) -> None:
    """In this loop, which has to go on meanwhile."""
    await asyncio.to_thread(until, holds, "it is so", WITHIN_S)


async def test_a_command_is_answered_by_a_decision_also_one_that_waited_for_the_shop(parts: Parts) -> None:
    early, sold, cancelled = (parts.buyer() for _ in range(3))
    asked = [decrease(early), decrease(sold), cancel(cancelled)]
    async with account(parts) as it:
        await it.ask(asked[0])
        with parts.shop():
            await it.answers(1)
            await it.ask(*asked[1:])
            told = await it.answers(3)
    assert {(one.type, one.request_id, one.causation_id) for one in told} == {
        (DECREASED, early.id, asked[0].id),
        (DECREASED, sold.id, asked[1].id),
        (CANCELLED, cancelled.id, asked[2].id),
    }
    assert sorted(parts.sold()) == sorted([early.id, sold.id])


@pytest.mark.connected
async def test_sales_that_hang_starve_no_offer(gateway: Gateway, tmp_path: Path) -> None:
    stores = on_real_parts(tmp_path)
    parts = Parts(stores, rabbit(tmp_path), MonolithData(stores), gateway, tmp_path)
    buyers, item = [parts.buyer() for _ in range(12)], parts.data.add_item()
    locked = 'SELECT 1 FROM "user" WHERE id = ANY(%s::uuid[]) FOR UPDATE'
    async with account(parts) as it:
        with parts.shop() as shop, psycopg.connect(stores.database_url) as holder:
            holder.execute(locked, [[buyer.user_id for buyer in buyers]])
            await it.ask(*(decrease(buyer) for buyer in buyers))
            await until_true(lambda: waiting(stores.database_url) >= SALES_AT_ONCE)
            place = f"/internal/offers/{item}?user={buyers[0].user_id}"
            answer = await asyncio.to_thread(ask, shop.port, place, "GET", bearer(INTERNAL_TOKEN))
            assert answer.status == 200
            assert waiting(stores.database_url) == SALES_AT_ONCE
            holder.rollback()
            await it.answers(len(buyers))
    parts.data.close()


async def test_sigterm_finishes_and_leaves_nothing_for_the_next_life_to_do_twice(parts: Parts) -> None:
    buyers = [parts.buyer() for _ in range(30)]
    async with account(parts) as it:
        with parts.shop() as shop:
            await it.ask(*(decrease(buyer) for buyer in buyers))
            await it.answers(1)
            shop.process.send_signal(signal.SIGTERM)
            assert await asyncio.to_thread(shop.process.wait, WITHIN_S) == 0
        with parts.shop():
            await until_true(lambda: {one.request_id for one in it.told} == {buyer.id for buyer in buyers})
    assert {one.type for one in it.told} == {DECREASED}
    assert sorted(parts.sold()) == sorted(buyer.id for buyer in buyers)
