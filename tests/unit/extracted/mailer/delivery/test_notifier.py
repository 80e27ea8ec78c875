"""Wake-ups: an idle sender here before a message to others, a burst is a few messages, and a broker may be away."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from datetime import UTC, datetime

import pytest

from chassis.messaging.port import Delivery
from chassis.messaging.topology import load
from extracted.mailer.delivery.notifier import SenderNotifier
from extracted.mailer.main import TOPOLOGY
from extracted.mailer.messages import WAKE_QUEUE
from tests.support.memory_broker import Fault, MemoryBroker


class Senders:
    """`idle`: how many are."""

    idle = 0

    def wake(self) -> bool:
        self.idle -= 1
        return self.idle >= 0


@pytest.fixture
async def broker() -> AsyncIterator[MemoryBroker]:
    broker = MemoryBroker()
    await broker.declare(load(TOPOLOGY).owned_by("mailer"))
    yield broker
    await broker.aclose()


@pytest.fixture
def senders() -> Senders:
    return Senders()


@pytest.fixture
async def notifier(broker: MemoryBroker, senders: Senders) -> AsyncIterator[SenderNotifier]:
    notifier = SenderNotifier(broker, lambda: datetime.now(UTC), senders.wake)
    task = asyncio.create_task(notifier.run())
    yield notifier
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def lying(broker: MemoryBroker) -> int:
    """Wake-ups in the queue, once that has come to rest."""
    for _ in range(20):
        await asyncio.sleep(0.01)
    return await broker.depth(WAKE_QUEUE)


async def test_an_idle_sender_here_is_woken_and_nobody_else(
    broker: MemoryBroker, senders: Senders, notifier: SenderNotifier
) -> None:
    senders.idle = 4
    notifier.wake(2)
    await notifier.handle(Delivery(WAKE_QUEUE, {}, b"whatever it is"))
    assert (senders.idle, await lying(broker)) == (1, 0)


async def test_where_all_here_are_busy_others_are_told_by_few_messages(
    broker: MemoryBroker, notifier: SenderNotifier
) -> None:
    for _ in range(50):
        notifier.wake(1)
    assert await lying(broker) == 1


async def test_a_broker_that_is_away_ends_nothing(broker: MemoryBroker, notifier: SenderNotifier) -> None:
    broker.faults.append(Fault.UNAVAILABLE)
    for depth in (0, 1):
        notifier.wake(1)
        assert await lying(broker) == depth
