"""Exclusive queues of replies, on every broker."""

import asyncio

import pytest

from chassis.messaging.port import Broker, Unroutable
from tests.ports.messaging.brokers import Brokers
from tests.support.messaging import Collector, thing, until


async def test_a_reply_reaches_the_connection_that_waits_for_it_alone(brokers: Brokers, broker: Broker) -> None:
    other = await brokers.connect("another")
    key = await broker.replies("answers", mine := Collector())
    other_key = await other.replies("answers", theirs := Collector())
    service = await brokers.connect("service")
    await service.publish("answers", reply := thing(), routing_key=key, persistent=False, expires_s=10)
    await service.publish("answers", another := thing(), routing_key=other_key, persistent=False, expires_s=10)
    await mine.until(1)
    await theirs.until(1)
    assert (mine.ids, theirs.ids) == ([reply.id], [another.id])
    assert mine.handled[0].envelope() == reply


async def test_a_key_stays_and_takes_many_replies(broker: Broker) -> None:
    key = await broker.replies("answers", received := Collector())
    sent = [thing(number) for number in range(30)]
    await asyncio.gather(*(broker.publish("answers", one, routing_key=key, persistent=False) for one in sent))
    await received.until(30)
    assert sorted(received.ids) == sorted(one.id for one in sent)


async def test_a_reply_that_is_not_handled_is_lost_and_the_next_one_comes(broker: Broker) -> None:
    received = Collector()

    async def handle(delivery: object) -> None:
        await received(delivery)  # type: ignore[arg-type]
        if len(received.handled) == 1:
            raise RuntimeError("the first one")

    key = await broker.replies("answers", handle)
    await broker.publish("answers", first := thing(), routing_key=key)
    await received.until(1)
    await broker.publish("answers", second := thing(), routing_key=key)
    await received.until(2)
    assert received.ids == [first.id, second.id]


async def test_nobody_takes_replies_of_a_connection_that_is_closed(brokers: Brokers, broker: Broker) -> None:
    leaving = await brokers.connect("leaving")
    key = await leaving.replies("answers", Collector())
    await broker.publish("answers", thing(), routing_key=key)
    await leaving.aclose()

    async def is_gone() -> bool:
        try:
            await broker.publish("answers", thing(), routing_key=key)
        except Unroutable:
            return True
        return False

    await until(is_gone)
    with pytest.raises(Unroutable):
        await broker.publish("answers", thing(), routing_key=key)
