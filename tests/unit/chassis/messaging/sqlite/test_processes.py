"""The embedded broker shared by processes that are killed at any moment; tests/faults lets them stand still, too."""

import asyncio
import os
import sqlite3
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from time import perf_counter

import pytest

from chassis.messaging.sqlite.broker import POLL_S, SqliteBroker
from chassis.messaging.topology import Queue, Topology
from tests.support.messaging import Collector, thing, until, until_depth

pytestmark = pytest.mark.walk

ROOT = Path(__file__).parents[5]
SCRIPT = Path(__file__).with_name("other_process.py")
TYPE = "thing.v1"
TOPOLOGY = Topology({"events": ("a",)}, (Queue("things", "a", "events", (TYPE,), max_length=100_000),))
LEASE_S = 2.0


@asynccontextmanager
async def process(what: str, path: Path, lease_s: float = LEASE_S) -> AsyncIterator[Process]:
    """One of other_process.py; killed at the end."""
    command = (sys.executable, str(SCRIPT), what, str(path), str(lease_s))
    running = await asyncio.create_subprocess_exec(*command, stdout=PIPE, env={**os.environ, "PYTHONPATH": str(ROOT)})
    try:
        yield running
    finally:
        if running.returncode is None:
            running.kill()
        await running.communicate()


async def line(running: Process) -> str:
    """The next that it tells."""
    assert running.stdout is not None
    async with asyncio.timeout(60):
        return (await running.stdout.readline()).decode().strip()


async def killed(running: Process) -> list[str]:
    """The complete lines that it still told."""
    running.kill()
    output = (await running.communicate())[0].decode()
    return output[: output.rfind("\n") + 1].split()


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[SqliteBroker]:
    broker = SqliteBroker(tmp_path / "broker.db", "test", lease_s=10)
    await broker.declare(TOPOLOGY)
    yield broker
    await broker.aclose()


async def test_every_confirmed_message_survives_a_kill_of_its_publishers(broker: SqliteBroker) -> None:
    confirmed: list[str] = []
    async with process("publish", broker.path) as one, process("publish", broker.path) as two:
        for running in (one, two):
            confirmed += [await line(running) for _ in range(700)]  # so many that the log was written back meanwhile
        confirmed += await killed(one) + await killed(two)
    await broker.consume("things", received := Collector(), prefetch=500)
    async with asyncio.timeout(30):
        while await _left(broker):
            await asyncio.sleep(0.01)
    assert set(confirmed) <= set(received.ids)
    assert len(set(received.ids)) - len(confirmed) <= 2  # committed, but not told any more
    with sqlite3.connect(broker.path) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


async def test_what_a_killed_process_was_handling_is_delivered_again_after_its_lease(broker: SqliteBroker) -> None:
    async with process("hang", broker.path) as running:
        assert await line(running) == "consuming"
        await broker.publish("events", thing(7, TYPE))
        assert await line(running) == "7"
        await asyncio.sleep(2 * LEASE_S)  # it lives: the lease is renewed
        await broker.consume("things", received := Collector())
        await until_depth(broker, "things", 0)
        assert not received.begun
        await killed(running)
    await received.until(1)
    assert received.handled[0].count == 1
    await until_depth(broker, "things", 0)


async def test_another_process_hears_of_a_message_by_its_poll(broker: SqliteBroker) -> None:
    """It looks by itself, for leases that have ended, once a second."""

    async def is_idle() -> bool:
        return await _left(broker) == 0

    async with process("consume", broker.path, 60) as running:
        assert await line(running) == "consuming"
        waits = []
        for number in range(5):
            await until(is_idle)
            await asyncio.sleep(2 * POLL_S)  # nor does it look any more because it has just handled one
            sent = perf_counter()
            await broker.publish("events", thing(number, TYPE))
            assert await line(running) == str(number)
            waits.append(perf_counter() - sent)
    assert sorted(waits)[2] < 0.4


async def _left(broker: SqliteBroker) -> int:
    def count(connection: sqlite3.Connection) -> int:
        return int(connection.execute("SELECT count(*) FROM message").fetchone()[0])

    return await broker.run(count, is_write=False)
