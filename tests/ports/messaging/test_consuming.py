"""What a consumer gets and when a message is gone, on every broker."""

import asyncio

import pytest

from chassis.messaging.envelope import MessageInvalid
from chassis.messaging.port import Broker
from tests.ports.messaging.brokers import Brokers
from tests.support.messaging import THINGS, TYPE, Collector, thing, until, until_depth


async def test_a_message_is_gone_when_its_handler_has_returned_and_not_before(brokers: Brokers, broker: Broker) -> None:
    subscription = await broker.consume("things", received := Collector(gate := asyncio.Event()))
    await broker.publish("events", thing())
    await until(lambda: len(received.begun) == 1)
    await subscription.stop(grace_s=0)  # it has not returned: the message goes back
    await until_depth(broker, "things", 1)
    gate.set()
    subscription = await broker.consume("things", received)
    await received.until(1)
    await subscription.stop()
    assert await broker.depth("things") == 0


async def test_no_more_than_prefetch_are_handled_at_once(broker: Broker) -> None:
    await broker.consume("things", received := Collector(gate := asyncio.Event()), prefetch=3)
    for number in range(10):
        await broker.publish("events", thing(number))
    await until(lambda: len(received.begun) == 3)
    await until_depth(broker, "things", 7)
    gate.set()
    await received.until(10)
    assert received.most_at_once == 3


async def test_a_handler_that_fails_gets_the_message_again_until_it_is_a_dead_letter(broker: Broker) -> None:
    await broker.publish("events", sent := thing())
    await broker.consume("things", failing := Collector(fails=100))
    await broker.consume(THINGS.dead, dead := Collector())
    await dead.until(1)
    assert [delivery.count for delivery in failing.begun] == [0, 1, 2]
    assert dead.handled[0].envelope() == sent
    assert dead.handled[0].queue == "things.dead"
    assert dead.handled[0].died == "delivery_limit in things"
    await until_depth(broker, "things", 0)


async def test_a_message_that_fails_once_is_handled_the_next_time(broker: Broker) -> None:
    await broker.publish("events", sent := thing())
    await broker.consume("things", received := Collector(fails=1))
    await received.until(1)
    assert (received.ids, received.handled[0].count) == ([sent.id], 1)
    await until_depth(broker, "things", 0)
    assert await broker.depth("things.dead") == 0


async def test_a_message_that_fails_holds_up_no_other(broker: Broker) -> None:
    await broker.publish("events", poison := thing(-1))
    for number in range(5):
        await broker.publish("events", thing(number))
    received = Collector()

    async def handle(delivery: object) -> None:
        if delivery.envelope().id == poison.id:  # type: ignore[attr-defined]
            raise RuntimeError("poison")
        await received(delivery)  # type: ignore[arg-type]

    await broker.consume("things", handle, prefetch=2)
    await received.until(5)
    await until_depth(broker, "things.dead", 1)
    assert {delivery.count for delivery in received.handled} == {0}


USUAL = {"id": "1", "type": TYPE, "time": "2026-11-24T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("properties", "body"),
    [({}, b"{}"), *((USUAL, body) for body in (b"", b"{", b"\xff\xfe", b"[]", b"{}" + b" " * 300_000))],
)
async def test_what_is_no_message_of_ours_is_handed_over_as_it_is(
    brokers: Brokers, broker: Broker, properties: dict[str, str], body: bytes
) -> None:
    await brokers.put_raw("events", TYPE, properties, body)
    await broker.consume("things", received := Collector())
    await received.until(1)
    assert received.handled[0].body == body
    assert properties.items() <= received.handled[0].properties.items()
    with pytest.raises(MessageInvalid):
        received.handled[0].envelope()
    await until_depth(broker, "things", 0)


async def test_consumers_share_the_messages_each_of_which_is_handled_once(brokers: Brokers, broker: Broker) -> None:
    other = await brokers.connect("another")
    await broker.consume("things", one := Collector(gate := asyncio.Event()), prefetch=5)
    await other.consume("things", two := Collector(gate), prefetch=5)
    sent = [thing(number) for number in range(40)]
    for envelope in sent:
        await broker.publish("events", envelope)
    await until(lambda: len(one.begun) == len(two.begun) == 5)
    gate.set()
    await until(lambda: len(one.handled) + len(two.handled) >= 40)
    assert sorted(one.ids + two.ids) == sorted(envelope.id for envelope in sent)
    await until_depth(broker, "things", 0)


async def test_a_paused_consumer_finishes_and_gets_nothing_new_until_it_goes_on(broker: Broker) -> None:
    subscription = await broker.consume("things", received := Collector(gate := asyncio.Event()), prefetch=1)
    await until(lambda: subscription.is_consuming)
    await broker.publish("events", under_way := thing())
    await until(lambda: len(received.begun) == 1)
    await subscription.pause()
    await until(lambda: not subscription.is_consuming)
    gate.set()
    await received.until(1)
    await broker.publish("events", waiting := thing())
    with pytest.raises(TimeoutError):
        await until(lambda: len(received.begun) > 1, within_s=0.2)
    await subscription.resume()
    await received.until(2)
    assert received.ids == [under_way.id, waiting.id]
    assert subscription.is_consuming


async def test_a_consumer_that_stops_finishes_what_is_under_way_and_leaves_the_rest(
    brokers: Brokers, broker: Broker
) -> None:
    subscription = await broker.consume("things", received := Collector(gate := asyncio.Event()), prefetch=2)
    for number in range(5):
        await broker.publish("events", thing(number))
    await until(lambda: len(received.begun) == 2)
    stopping = asyncio.create_task(subscription.stop())
    await until(lambda: not subscription.is_consuming)
    gate.set()
    await stopping
    assert len(received.handled) == len(received.begun) == 2
    await until_depth(broker, "things", 3)
    other = await brokers.connect("another")
    await other.consume("things", rest := Collector())
    await rest.until(3)
    assert {delivery.count for delivery in rest.handled} == {0}
