"""Each message is handled, or lies parked with its reason; the database's absence costs no attempt and no message."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from structlog.testing import capture_logs

from chassis.database.database import Database
from chassis.messaging.envelope import Envelope, MessageInvalid, to_record
from chassis.messaging.topology import Queue, Topology
from chassis.outbox.consumer import Consumer, consume
from chassis.outbox.failed_messages.message import FailedMessage
from chassis.outbox.failed_messages.retry import MessageHandler, RetryPolicy
from chassis.store import StoreUnavailable
from tests.ports.outbox.brokers import until
from tests.ports.outbox.service import Service, message
from tests.support.memory_broker import MemoryBroker

QUEUE, EXCHANGE, TYPE = "account.purchases", "purchases", "shop.decrease_quantity.v1"
QUICK = RetryPolicy(first_hold_s=0.01, last_hold_s=0.05, look_s=0.02, attempts=3)
TOPOLOGY = Topology({EXCHANGE: ("gateway",)}, (Queue(QUEUE, "account", EXCHANGE, (TYPE,), 1000, 3),))


class World:
    """A broker, and what a handler was handed."""

    def __init__(self, service: Service) -> None:
        self.service = service
        self.broker = MemoryBroker()
        self.handled: list[Envelope] = []
        self.faults: list[Exception] = []
        self.is_store_away = False

    async def handle(self, envelope: Envelope) -> None:
        if self.faults:
            raise self.faults.pop(0)
        if self.is_store_away:
            raise StoreUnavailable("gone")
        self.handled.append(envelope)

    async def send(self, *envelopes: Envelope) -> None:
        for envelope in envelopes:
            await self.broker.publish(EXCHANGE, envelope)

    def send_raw(self, properties: Mapping[str, object], body: bytes) -> None:
        self.broker.put(EXCHANGE, TYPE, properties, body)

    async def failed_messages(self) -> list[FailedMessage]:
        async with self.service.database.read() as connection:
            return await self.service.failed_messages.listed(connection)

    async def failed_one(self) -> FailedMessage:
        async def is_there() -> bool:
            return await self.failed_messages() != []

        await until(is_there)
        (one,) = await self.failed_messages()
        return one

    async def is_empty(self) -> bool:
        """Nothing is parked, nothing waits."""
        return await self.failed_messages() == [] and await self.broker.depth(QUEUE) == 0


@pytest.fixture
async def world(service: Service) -> AsyncIterator[World]:
    world = World(service)
    await world.broker.declare(TOPOLOGY)
    yield world
    await world.broker.aclose()


@asynccontextmanager
async def consuming(
    world: World, handler: MessageHandler | None = None, retry_policy: RetryPolicy = QUICK, **more: Any
) -> AsyncIterator[Consumer]:
    parts = (world.broker, QUEUE, handler or world.handle, world.service.database, world.service.failed_messages)
    consumer = await consume(*parts, retry_policy=retry_policy, **more)
    yield consumer
    await consumer.stop(1)


@pytest.mark.parametrize(
    ("properties", "body", "reason"),
    [
        ({}, b"{}", "not understood: the properties"),
        (
            {"id": "\\xff", "unreadable": "ValueError"},
            b"{}",
            "not understood: the properties cannot be read (ValueError)",
        ),
        (to_record(message()), b"not json", "not understood: the body is not JSON"),
        (to_record(message()) | {"time": "once"}, b"{}", "not understood: the time is not in ISO 8601 format"),
        (to_record(message()) | {"id": "x" * 256}, b"{}", "not understood: the properties ['id'] must be text"),
        (to_record(message()) | {"subject": "a\0b"}, b"{}", "not understood: the properties ['subject'] must be text"),
        (to_record(message()) | {"type": 7}, b"{}", "not understood: the properties"),
        (to_record(message()) | {"type": "\udc80\0"}, b"\0\xff", "not understood: the "),
        (to_record(message()), b'"' + b"x" * 300_000 + b'"', "not understood: the body has 300002 bytes"),
    ],
)
async def test_what_is_no_message_of_ours_is_parked_for_a_human_and_holds_up_nobody(
    world: World, properties: Mapping[str, object], body: bytes, reason: str
) -> None:
    async with consuming(world):
        world.send_raw(properties, body)
        await world.send(neighbour := message())
        one = await world.failed_one()
        await until(lambda: world.handled == [neighbour])
    assert one.reason.startswith(reason)
    assert (one.queue, one.body, one.next_attempt_at, one.attempts) == (QUEUE, body, None, 1)
    assert await world.broker.depth(QUEUE) == 0


async def test_of_a_huge_message_the_size_alone_is_kept_and_of_huge_properties_the_type(world: World) -> None:
    async with consuming(world):
        world.send_raw(to_record(message()) | {"subject": "x" * 100_000}, b"x" * (1024 * 1024 + 1))
        one = await world.failed_one()
    assert (one.body, one.size) == (None, 1024 * 1024 + 1)
    with pytest.raises(MessageInvalid, match="not kept"):
        one.envelope()
    assert len(one.properties) < 10_000
    assert json.loads(one.properties)["type"] == TYPE


async def test_a_handler_that_fails_is_tried_again_from_the_table(world: World) -> None:
    world.faults.append(RuntimeError("a fault that passes"))
    async with consuming(world):
        await world.send(sent := message())
        one = await world.failed_one()
        assert one.reason == "RuntimeError: a fault that passes"
        assert one.next_attempt_at is not None
        assert await world.broker.depth(QUEUE) == 0
        assert world.handled == []
        world.service.clock.move(1.1)
        await until(lambda: world.handled == [sent])
        await until(world.is_empty)


async def test_after_some_attempts_it_waits_for_a_human_and_a_redrive_gives_it_all_of_them_again(world: World) -> None:
    world.faults += [RuntimeError("always")] * 4
    async with consuming(world):
        await world.send(sent := message())
        for attempts in (1, 2):
            await until(lambda attempts=attempts: _attempts(world, attempts))  # type: ignore[misc]
            world.service.clock.move(600)
        await until(lambda: _attempts(world, 3))
        (one,) = await world.failed_messages()
        assert one.next_attempt_at is None
        async with world.service.database.write() as connection:
            assert await world.service.failed_messages.redrive(connection, [one.id]) == 1
        await until(lambda: _attempts(world, 1))
        world.service.clock.move(600)
        await until(lambda: world.handled == [sent])
        await until(world.is_empty)


async def _attempts(world: World, attempts: int) -> bool:
    return [one.attempts for one in await world.failed_messages()] == [attempts]


async def test_what_the_handler_does_not_know_waits_for_a_human_the_same_message_in_one_row_a_forged_one_beside(
    world: World,
) -> None:
    sent = message()
    world.faults += [MessageInvalid("no such type")] * 3
    async with consuming(world):
        await world.send(sent, sent)
        await until(lambda: _attempts(world, 2))
        (one,) = await world.failed_messages()
        assert (one.reason, one.next_attempt_at) == ("not understood: no such type", None)
        await world.send(replace(sent, body={"forged": True}))
        await until(lambda: _failed_messages(world, 2))


async def _failed_messages(world: World, count: int) -> bool:
    return len(await world.failed_messages()) == count


async def test_while_a_store_is_away_messages_are_held_without_an_attempt(world: World) -> None:
    world.is_store_away = True
    async with consuming(world) as consumer:
        await world.send(sent := message())
        await until(lambda: consumer.status().held == 1)
        assert consumer.status().reason == "gone"
        world.is_store_away = False
        await until(lambda: world.handled == [sent])
        await until(lambda: consumer.status().held == 0)
    assert await world.is_empty()


async def test_a_handler_is_not_tried_before_the_store_is_ready(world: World) -> None:
    world.faults.append(StoreUnavailable("gone"))
    is_ready, asked = False, 0

    async def ready() -> None:
        nonlocal asked
        asked += 1
        if not is_ready:
            raise StoreUnavailable("still gone")

    async with consuming(world, ready=ready) as consumer:
        await world.send(sent := message())
        await until(lambda: asked >= 5)
        assert (world.handled, consumer.status().reason) == ([], "still gone")
        is_ready = True
        await until(lambda: world.handled == [sent])


async def test_at_most_prefetch_messages_are_held_and_the_log_says_so_once(world: World) -> None:
    world.is_store_away = True
    with capture_logs() as logs:
        await _hold_five_of_twenty(world)
    assert [(log["queue"], log["reason"]) for log in logs if log["event"] == "store_unavailable"] == [(QUEUE, "gone")]


async def _hold_five_of_twenty(world: World) -> None:
    async with consuming(world, prefetch=5) as consumer:
        await world.send(*(message() for _ in range(20)))
        await until(lambda: consumer.status().held == 5)
        assert await world.broker.depth(QUEUE) == 15
    assert await world.broker.depth(QUEUE) == 20


async def test_what_was_held_for_too_long_goes_back_until_it_is_a_dead_letter_that_can_be_driven_again(
    world: World,
) -> None:
    world.is_store_away = True
    async with consuming(world, retry_policy=replace(QUICK, hold_s=0.05)):
        await world.send(sent := message())
        one = await world.failed_one()
        assert one.reason.startswith("dead letter: delivery_limit")
        assert (one.queue, one.next_attempt_at, await world.broker.depth(f"{QUEUE}.dead")) == (QUEUE, None, 0)
        world.is_store_away = False
        async with world.service.database.write() as connection:
            await world.service.failed_messages.redrive(connection, [one.id])
        await until(world.is_empty)
    assert world.handled == [sent]


async def test_an_outage_counts_as_one_delivery_however_long_it_lasts(world: World) -> None:
    deliveries, is_ready = 0, False

    async def count(envelope: Envelope) -> None:
        nonlocal deliveries
        deliveries += 1
        if not is_ready:
            raise StoreUnavailable("gone")
        await world.handle(envelope)

    async def ready() -> None:
        if not is_ready:
            raise StoreUnavailable("gone")

    policy = replace(QUICK, hold_s=0.02, last_hold_s=0.02)
    async with consuming(world, count, policy, ready=ready) as consumer:
        await world.send(sent := message())
        await until(lambda: deliveries == 1 and not consumer.status().is_consuming)
        assert await world.broker.depth(QUEUE) == 1
        began = asyncio.get_running_loop().time()
        await until(lambda: asyncio.get_running_loop().time() > began + 0.2)
        assert deliveries == 1
        is_ready = True
        await until(lambda: world.handled == [sent])
        await until(lambda: consumer.status().is_consuming)


async def test_a_message_waits_where_it_cannot_even_be_parked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    away = Database("sqlite:////nowhere/at/all.sqlite3")
    monkeypatch.setattr(world.service.database, "write", away.write)
    async with consuming(world) as consumer:
        world.send_raw({}, b"")
        await until(lambda: consumer.status().held == 1)
        monkeypatch.undo()
        await world.failed_one()


async def test_a_handler_that_hangs_is_given_up_and_parked(world: World) -> None:
    async def hang(_: Envelope) -> None:
        await asyncio.Event().wait()

    async with consuming(world, hang, replace(QUICK, handler_timeout_s=0.05)):
        await world.send(message())
        one = await world.failed_one()
    assert one.reason.startswith("TimeoutError")


async def test_a_pause_takes_nothing_until_it_ends(world: World) -> None:
    async with consuming(world) as consumer:
        await consumer.pause()
        await world.send(message())
        assert not consumer.status().is_consuming
        await consumer.resume()
        await until(lambda: len(world.handled) == 1)
        assert consumer.status().is_consuming


async def test_a_stop_lets_what_is_under_way_end_and_acknowledges_it(world: World) -> None:
    began, may_end = asyncio.Event(), asyncio.Event()

    async def slow(envelope: Envelope) -> None:
        began.set()
        await may_end.wait()
        await world.handle(envelope)

    async with consuming(world, slow, prefetch=1) as consumer:
        await world.send(message(), message())
        await began.wait()
        stopping = asyncio.create_task(consumer.stop())
        await asyncio.sleep(0)
        may_end.set()
        await stopping
    assert len(world.handled) == 1
    assert await world.broker.depth(QUEUE) == 1


async def test_two_consumers_share_the_retries(world: World) -> None:
    world.faults += [RuntimeError("passes")] * 6
    async with consuming(world), consuming(world):
        await world.send(*(message() for _ in range(6)))
        await until(lambda: _failed_messages(world, 6))
        world.service.clock.move(2)
        await until(world.is_empty)
    assert len({envelope.id for envelope in world.handled}) == len(world.handled) == 6


async def test_parked_messages_are_grouped_shown_and_discarded(world: World) -> None:
    world.faults += [MessageInvalid("a"), MessageInvalid("a"), MessageInvalid("b")]
    async with consuming(world):
        for _ in range(3):
            await world.send(message())
        await until(lambda: _failed_messages(world, 3))
    failed_messages = world.service.failed_messages
    async with world.service.database.write() as connection:
        groups = await failed_messages.grouped(connection)
        assert [(group.reason, group.count) for group in groups] == [("not understood: a", 2), ("not understood: b", 1)]
        listed = await failed_messages.listed(connection, QUEUE, limit=2)
        assert await failed_messages.listed(connection, "elsewhere") == []
        (last,) = await failed_messages.listed(connection, QUEUE, after=listed[-1].id)
        assert await failed_messages.get(connection, last.id) == last
        assert await failed_messages.get(connection, "none") is None
        assert await failed_messages.discard(connection, [one.id for one in listed]) == 2
        assert await failed_messages.listed(connection) == [last]


async def test_a_lease_on_a_parked_message_ends(world: World) -> None:
    failed_messages, lease = world.service.failed_messages, timedelta(seconds=10)
    async with world.service.database.write() as connection:
        await failed_messages.record(connection, QUEUE, to_record(message()), b"{}", "why", retry_after=timedelta(0))
        (first,) = await failed_messages.due(connection, QUEUE, lease)
        assert await failed_messages.due(connection, QUEUE, lease) == []
        world.service.clock.move(11)
        (second,) = await failed_messages.due(connection, QUEUE, lease)
        await failed_messages.failed(connection, first, "a late one", None)
        after_late = await failed_messages.get(connection, first.id)
        assert after_late is not None
        assert (after_late.reason, after_late.attempts) == ("why", 1)
        await failed_messages.failed(connection, second, "the right one", None)
        assert await failed_messages.due(connection, QUEUE, lease) == []


async def test_a_clock_that_is_put_back_by_an_hour_holds_up_no_retry(world: World) -> None:
    world.faults.append(RuntimeError("passes"))
    async with consuming(world):
        await world.send(message())
        await until(lambda: _failed_messages(world, 1))
        world.service.clock.move(-3600)
        await until(world.is_empty)
    assert len(world.handled) == 1
