"""Wake-ups: an idle sender here before a message to others, a burst is a few messages, and a broker may be away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from time import monotonic

import pytest

from chassis.messaging.port import Delivery
from chassis.messaging.topology import load
from extracted.mailer.delivery.notifier import SenderNotifier
from extracted.mailer.main import TOPOLOGY
from extracted.mailer.messages import WAKE_QUEUE
from tests.support.memory_broker import Fault, MemoryBroker


@dataclass
class House:
    """`idle`: how many senders of this process are. `woken`: how often one was, or none was there."""

    broker: MemoryBroker
    idle: int = 0
    woken: list[bool] = field(default_factory=list)

    def wake_here(self) -> bool:
        self.woken.append(self.idle > 0)
        self.idle = max(self.idle - 1, 0)
        return self.woken[-1]

    async def lie(self) -> int:
        """Wake-ups in the queue, once that has come to rest."""
        until = monotonic() + 0.2
        while monotonic() < until:
            await asyncio.sleep(0.01)
        return await self.broker.depth(WAKE_QUEUE)


@pytest.fixture
async def house() -> AsyncIterator[House]:
    broker = MemoryBroker()
    await broker.declare(load(TOPOLOGY).owned_by("mailer"))
    yield House(broker)
    await broker.aclose()


@pytest.fixture
async def notifier(house: House) -> AsyncIterator[SenderNotifier]:
    notifier = SenderNotifier(house.broker, lambda: datetime.now(UTC), house.wake_here)
    task = asyncio.create_task(notifier.run())
    yield notifier
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_an_idle_sender_here_is_woken_and_nobody_else(house: House, notifier: SenderNotifier) -> None:
    house.idle = 4
    notifier.wake(3)
    assert (house.woken, house.idle) == ([True] * 3, 1)
    assert await house.lie() == 0


async def test_where_all_here_are_busy_others_are_told_by_few_messages(house: House, notifier: SenderNotifier) -> None:
    for _ in range(50):
        notifier.wake(1)
    assert await house.lie() == 1


async def test_a_message_wakes_one_here(house: House, notifier: SenderNotifier) -> None:
    house.idle = 2
    await notifier.handle(Delivery(WAKE_QUEUE, {}, b"whatever it is"))
    assert house.woken == [True]


async def test_a_broker_that_is_away_ends_nothing(house: House, notifier: SenderNotifier) -> None:
    house.broker.faults.append(Fault.UNAVAILABLE)
    notifier.wake(1)
    assert await house.lie() == 0
    notifier.wake(1)
    assert await house.lie() == 1
