"""What `publish` promises, on every broker."""

from dataclasses import replace

import pytest

from chassis.messaging.envelope import Envelope, MessageInvalid, new_id
from chassis.messaging.port import Broker, PublishRefused, Unroutable
from chassis.messaging.topology import Queue, Topology
from tests.ports.messaging.brokers import Brokers
from tests.support.messaging import NOW, OTHER, TYPE, Collector, thing, until_depth

FULL = Envelope(
    id=new_id(),
    type=TYPE,
    body={"name": "Ünïcode ☃", "list": [1, 2.5, None, True], "nested": {"a": {}}},
    time=NOW,
    subject="user 1",
    request_id=new_id(),
    causation_id=new_id(),
    traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    reply_to="a.reply.key",
)


@pytest.mark.parametrize("sent", [FULL, thing()], ids=["all fields", "required fields"])
async def test_a_message_arrives_as_it_was_sent(broker: Broker, sent: Envelope) -> None:
    await broker.publish("events", sent)
    await broker.consume("things", received := Collector())
    await received.until(1)
    assert received.handled[0].envelope() == sent
    assert (received.handled[0].queue, received.handled[0].count, received.handled[0].died) == ("things", 0, None)


async def test_the_type_says_which_queue(broker: Broker) -> None:
    await broker.publish("events", thing())
    await broker.publish("events", thing(type_=OTHER))
    await broker.publish("events", thing(type_=OTHER))
    assert (await broker.depth("things"), await broker.depth("others")) == (1, 2)


async def test_a_routing_key_wins_over_the_type(broker: Broker) -> None:
    await broker.publish("events", thing(), routing_key=OTHER)
    assert (await broker.depth("things"), await broker.depth("others")) == (0, 1)


async def test_every_queue_that_is_bound_gets_the_message(brokers: Brokers, broker: Broker) -> None:
    await broker.declare(Topology({"events": ("a",)}, (Queue("copies", "a", "events", (TYPE,)),)))
    await broker.publish("events", sent := thing())
    await broker.consume("things", first := Collector())
    await broker.consume("copies", second := Collector())
    await first.until(1)
    await second.until(1)
    assert first.ids == second.ids == [sent.id]


@pytest.mark.parametrize(("exchange", "type_"), [("events", "unknown.v1"), ("nowhere", TYPE)])
async def test_what_no_queue_takes_is_refused_as_unroutable(broker: Broker, exchange: str, type_: str) -> None:
    with pytest.raises(Unroutable):
        await broker.publish(exchange, thing(type_=type_))
    await broker.publish("events", thing())  # the connection is as good as before
    assert await broker.depth("things") == 1


async def fill(broker: Broker) -> list[str]:
    """The ids that a queue has confirmed before it refused; RabbitMQ lets some more in than it should."""
    confirmed: list[str] = []
    for number in range(100):
        try:
            await broker.publish("events", sent := thing(number, "small.v1"))
        except PublishRefused:
            return confirmed
        confirmed.append(sent.id)
    pytest.fail("the queue takes everything")


async def test_a_full_queue_refuses_until_there_is_room_and_holds_up_no_other(broker: Broker) -> None:
    small = Queue("small", "a", "events", ("small.v1",), max_length=3)
    await broker.declare(Topology({"events": ("a",)}, (small,)))
    confirmed = await fill(broker)
    assert len(confirmed) >= small.max_length
    await broker.publish("events", thing())
    await broker.consume("small", received := Collector())
    await received.until(len(confirmed))
    await until_depth(broker, "small", 0)
    await broker.publish("events", thing(type_="small.v1"))
    await received.until(len(confirmed) + 1)
    assert received.ids[: len(confirmed)] == confirmed


async def test_a_body_that_is_no_json_is_refused_before_it_is_sent(broker: Broker) -> None:
    with pytest.raises(MessageInvalid):
        await broker.publish("events", replace(thing(), body={"number": float("nan")}))
    with pytest.raises(MessageInvalid):
        await broker.publish("events", replace(thing(), body={"text": "x" * (256 * 1024)}))
    assert await broker.depth("things") == 0


async def test_what_expires_is_not_delivered(broker: Broker) -> None:
    await broker.publish("events", thing(), persistent=False, expires_s=0.05)
    await until_depth(broker, "things", 0)
    await broker.publish("events", lasting := thing(), persistent=False, expires_s=60)
    await broker.consume("things", received := Collector())
    await received.until(1)
    assert received.ids == [lasting.id]


async def test_one_consumer_gets_the_messages_in_their_order(broker: Broker) -> None:
    sent = [thing(number) for number in range(20)]
    for envelope in sent:
        await broker.publish("events", envelope)
    await broker.consume("things", received := Collector(), prefetch=1)
    await received.until(20)
    assert received.ids == [envelope.id for envelope in sent]


async def test_what_was_published_is_there_for_who_comes_later(brokers: Brokers, broker: Broker) -> None:
    await broker.publish("events", sent := thing())
    await broker.aclose()
    later = await brokers.connect()
    await later.declare(Topology({}, ()))
    await later.consume("things", received := Collector())
    await received.until(1)
    assert received.ids == [sent.id]
