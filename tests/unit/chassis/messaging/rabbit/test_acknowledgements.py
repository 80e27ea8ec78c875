"""Several acknowledgements by one frame: each message by one of them, and none that was not handled."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pamqp.commands import Basic

from chassis.messaging.port import Delivery
from chassis.messaging.rabbit.acknowledgements import Tags
from tests.support.connected import fresh_rabbit
from tests.support.messaging import JUST_THINGS, THINGS, thing, until
from tests.support.system.tcp_proxy import TcpProxy
from tests.unit.chassis.messaging.rabbit.scene import Opened, sent

HANDLE, REJECT, TAKE = "handle", "reject", "take"


class Broker:
    """What it still waits for, as AMQP 0-9-1 §1.8.3.13 has it."""

    def __init__(self, number: int) -> None:
        self.open = set(range(1, number + 1))
        self.acknowledged: set[int] = set()

    def acknowledge(self, tag: int, multiple: bool) -> None:
        meant = {one for one in self.open if one <= tag} if multiple else {tag}
        assert tag in self.open, "an unknown tag ends the channel"
        self.open -= meant
        self.acknowledged |= meant

    def reject(self, tag: int) -> None:
        self.open.remove(tag)


@given(st.data())
def test_in_any_order_what_was_handled_is_acknowledged_once_and_nothing_else(data: st.DataObject) -> None:
    number = data.draw(st.integers(1, 30))
    broker, tags, handled = Broker(number), Tags(), set[int]()
    order = data.draw(st.permutations(range(1, number + 1)))
    for tag in order[: data.draw(st.integers(0, number))]:
        if data.draw(st.booleans()):
            tags.handled(tag)
            handled.add(tag)
        else:
            broker.reject(tag)
            tags.settled(tag)
        if data.draw(st.booleans()):
            take(broker, tags)
    take(broker, tags)
    assert broker.acknowledged == handled
    assert tags.waiting == 0


def take(broker: Broker, tags: Tags) -> None:
    for tag, multiple in tags.take():
        broker.acknowledge(tag, multiple)


def test_in_their_order_one_frame_is_enough() -> None:
    tags = Tags()
    for tag in range(1, 11):
        tags.handled(tag)
    assert tags.take() == [(10, True)]
    assert tags.take() == []


@pytest.mark.connected
async def test_what_is_handled_at_once_takes_few_frames_and_what_fails_comes_again(
    opened: Opened, proxy: TcpProxy
) -> None:
    url = fresh_rabbit()
    broker = opened(proxy.through(url))
    await broker.declare(JUST_THINGS)
    seen: dict[str, int] = {}

    async def handle(delivery: Delivery) -> None:
        await asyncio.sleep(0)
        number = delivery.envelope().request_id or ""
        seen[number] = seen.get(number, 0) + 1
        if number == "37" and seen[number] == 1:
            raise RuntimeError("once")

    for number in range(100):
        await broker.publish("events", thing(request_id=str(number)))
    await broker.consume(THINGS.name, handle)
    await until(lambda: len(seen) == 100 and seen["37"] == 2)
    await broker.aclose()
    assert await opened(url).depth(THINGS.name) == 0
    assert seen == {str(number): 2 if number == 37 else 1 for number in range(100)}
    assert len(sent(proxy, Basic.Reject)) == 1
    assert len(sent(proxy, Basic.Ack)) < 50
