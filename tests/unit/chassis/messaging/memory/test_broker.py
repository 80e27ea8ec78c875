"""The broker in memory: faults on demand, deliveries by hand, crashes; the same seed gives the same run."""

import asyncio

import pytest

from chassis.messaging.envelope import Envelope
from chassis.messaging.port import BrokerUnavailable, Delivery, PublishRefused
from tests.ports.messaging.brokers import OTHER, THINGS, TOPOLOGY, Collector, thing, until
from tests.support.memory_broker.broker import Fault, Faults, MemoryBroker


@pytest.fixture
async def broker() -> MemoryBroker:
    broker = MemoryBroker(is_stepped=True)
    await broker.declare(TOPOLOGY)
    return broker


@pytest.mark.parametrize(
    ("fault", "error", "there"),
    [
        (Fault.DROP, None, 0),
        (Fault.DUPLICATE, None, 2),
        (Fault.REFUSE, PublishRefused, 0),
        (Fault.UNAVAILABLE, BrokerUnavailable, 0),
        (Fault.UNCONFIRMED, BrokerUnavailable, 1),
    ],
)
async def test_a_fault_happens_once_on_demand(
    broker: MemoryBroker, fault: Fault, error: type[Exception] | None, there: int
) -> None:
    broker.faults.once(fault)
    if error is None:
        await broker.publish("events", thing())
    else:
        with pytest.raises(error):
            await broker.publish("events", thing())
    assert await broker.depth("things") == there
    await broker.publish("events", thing())
    assert await broker.depth("things") == there + 1


async def test_a_delayed_message_comes_after_later_ones_and_never_not_at_all(broker: MemoryBroker) -> None:
    broker.faults.once(Fault.DELAY)
    await broker.publish("events", late := thing())
    await broker.publish("events", punctual := thing())
    await broker.consume("things", received := Collector())
    while await broker.deliver_next():
        pass
    assert received.ids == [punctual.id, late.id]


async def test_reordered_messages_overtake_others(broker: MemoryBroker) -> None:
    broker.faults.shares[Fault.REORDER] = 1.0
    sent = [thing(number) for number in range(30)]
    for envelope in sent:
        await broker.publish("events", envelope)
    await broker.consume("things", received := Collector())
    while await broker.deliver_next():
        pass
    assert received.ids != [one.id for one in sent]
    assert sorted(received.ids) == sorted(one.id for one in sent)


async def _run(seed: int) -> list[object]:
    broker = MemoryBroker(Faults(dict.fromkeys(Fault, 0.2), seed=seed), is_stepped=True)
    await broker.declare(TOPOLOGY)
    await broker.consume("things", received := Collector())
    for number in range(40):
        try:
            await broker.publish("events", thing(number))
        except (BrokerUnavailable, PublishRefused):
            continue
    while await broker.deliver_next():
        pass
    return [delivery.envelope().body["number"] for delivery in received.handled]


async def test_the_same_seed_gives_the_same_run_and_another_one_another() -> None:
    assert await _run(1) == await _run(1) != await _run(2)


async def test_nothing_moves_by_itself_when_stepped(broker: MemoryBroker) -> None:
    await broker.consume("things", received := Collector())
    await broker.publish("events", thing(1))
    await broker.publish("events", thing(2))
    for _ in range(10):
        await asyncio.sleep(0)
    assert received.begun == []
    first, second = broker.pending()
    await broker.deliver(second)
    assert [delivery.envelope().body["number"] for delivery in received.handled] == [2]
    assert [pending.envelope for pending in broker.pending()] == [first.envelope]


async def test_only_what_somebody_consumes_is_pending(broker: MemoryBroker) -> None:
    await broker.publish("events", thing())
    await broker.publish("events", thing(type_=OTHER))
    assert broker.pending() == []
    subscription = await broker.consume("others", Collector())
    assert [pending.queue for pending in broker.pending()] == ["others"]
    await subscription.pause()
    assert await broker.deliver_next() is None
    await subscription.resume()
    assert await broker.deliver_next() is not None


async def test_a_step_that_fails_counts_until_the_message_is_a_dead_letter(broker: MemoryBroker) -> None:
    await broker.publish("events", thing())
    await broker.consume("things", Collector(fails=True))
    steps = 0
    while await broker.deliver_next():
        steps += 1
    assert steps == THINGS.delivery_limit + 1
    await broker.consume("things.dead", dead := Collector())
    await broker.deliver_next()
    assert dead.handled[0].died == "delivery_limit in things"


async def test_a_crash_gives_back_what_was_taken_and_counts(broker: MemoryBroker) -> None:
    crashing = MemoryBroker(memory=broker.memory)
    await crashing.consume("things", doomed := Collector(asyncio.Event()))
    await broker.publish("events", thing())
    await until(lambda: len(doomed.begun) == 1)
    assert await broker.depth("things") == 0
    await crashing.crash()
    await broker.publish("events", thing())
    await broker.consume("things", received := Collector())
    while await broker.deliver_next():
        pass
    assert [delivery.count for delivery in received.handled] == [1, 0]
    assert len(doomed.begun) == 1


async def test_a_step_that_is_cut_off_gives_the_message_back(broker: MemoryBroker) -> None:
    await broker.publish("events", thing())
    await broker.consume("things", doomed := Collector(asyncio.Event()))
    step = asyncio.create_task(broker.deliver_next())
    await until(lambda: len(doomed.begun) == 1)
    assert broker.pending() == []
    step.cancel()
    await asyncio.gather(step, return_exceptions=True)
    assert [pending.message.delivery.count for pending in broker.pending()] == [1]


async def test_what_a_handler_publishes_is_pending_afterwards(broker: MemoryBroker) -> None:
    async def answer(delivery: Delivery) -> None:
        asked: Envelope = delivery.envelope()
        await broker.publish("events", thing(type_=OTHER), routing_key=OTHER)
        assert asked.body == {"number": 5}

    await broker.consume("things", answer)
    await broker.consume("others", Collector())
    await broker.publish("events", thing(5))
    await broker.deliver_next()
    assert [pending.queue for pending in broker.pending()] == ["others"]
