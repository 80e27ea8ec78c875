"""Relays as processes that are killed: nothing that was committed is lost, and what comes twice has the same id."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis.messaging.open import open_broker
from chassis.messaging.port import Broker, Delivery
from chassis.messaging.topology import Queue, Topology
from tests.ports.outbox.brokers import until
from tests.ports.outbox.service import Service

pytestmark = pytest.mark.walk

ROOT = Path(__file__).parents[3]
TYPE = "shop.decrease_quantity.v1"
COMMANDS = Queue("shop.commands", "shop", "purchases.commands", (TYPE,))
TOPOLOGY = Topology({COMMANDS.exchange: ("account",)}, (COMMANDS,))
PATIENCE_S = 60


@pytest.fixture
def broker_url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path / 'broker.sqlite3'}"


@pytest.fixture
async def broker(broker_url: str) -> AsyncIterator[Broker]:
    broker = open_broker(broker_url, "test")
    await broker.declare(TOPOLOGY)
    yield broker
    await broker.aclose()


async def start(url: str, broker_url: str, count: int, failpoints: str = "") -> asyncio.subprocess.Process:
    command = (sys.executable, "-m", "tests.ports.outbox.relaying", url, broker_url, str(count))
    return await asyncio.create_subprocess_exec(*command, cwd=ROOT, env=os.environ | {"FAILPOINTS": failpoints})


async def stop(*processes: asyncio.subprocess.Process) -> None:
    for process in processes:
        process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(PATIENCE_S):
        assert [await process.wait() for process in processes] == [0 for _ in processes]


async def unpublished(service: Service) -> int:
    async with service.database.read() as connection:
        return sum((await service.outbox.unpublished(connection)).values())


async def collect(broker: Broker) -> Counter[str]:
    received: Counter[str] = Counter()

    async def note(delivery: Delivery) -> None:
        received[delivery.envelope().id] += 1

    await broker.consume(COMMANDS.name, note)
    return received


async def test_killed_between_confirm_and_mark_it_is_sent_again_by_the_next_under_the_same_id(
    url: str, service: Service, broker: Broker, broker_url: str
) -> None:
    async with asyncio.timeout(PATIENCE_S):
        killed = await start(url, broker_url, 1, "relay.confirmed=kill")
        assert await killed.wait() == -signal.SIGKILL
    assert await unpublished(service) == 1
    received = await collect(broker)
    following = await start(url, broker_url, 0)
    await until(lambda: sum(received.values()) == 2, PATIENCE_S)
    await stop(following)
    assert len(received) == 1
    assert await unpublished(service) == 0


async def test_several_processes_write_and_send_at_once_and_one_is_killed(
    url: str, service: Service, broker: Broker, broker_url: str
) -> None:
    received = await collect(broker)
    doomed, *others = [await start(url, broker_url, 100) for _ in range(3)]
    await until(lambda: len(received) >= 50, PATIENCE_S)
    doomed.kill()
    await doomed.wait()

    async def is_all_out() -> bool:
        return len(received) >= 200 and await unpublished(service) == 0

    await until(is_all_out, PATIENCE_S)
    await stop(*others)
    async with service.database.read() as connection:
        for message_id in received:
            assert await service.outbox.published_at(connection, message_id) is not None
    doubled = sum(received.values()) - len(received)
    assert doubled <= 100  # what the killed one had confirmed and not yet marked
