"""What tests of a real broker share: one small topology, envelopes, a handler that keeps what it gets, a deadline."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pamqp import frame

from chassis.messaging.envelope import Envelope, new_id
from chassis.messaging.port import Delivery
from chassis.messaging.rabbit.broker import RabbitBroker
from chassis.messaging.topology import Queue, Topology
from tests.support.system.tcp_proxy import Conversation, TcpProxy

Opened = Callable[[str], RabbitBroker]
"""The fixture `opened`: a broker at that URL, closed when the test ends."""
HEADER = len(b"AMQP\0\0\x09\x01")
DEADLINE_S = 30.0
POLL_S = 0.01
TYPE = "thing.done.v1"
QUEUE = Queue("things", "owner", "events", (TYPE,), max_length=1000, delivery_limit=3)
TOPOLOGY = Topology({"events": ("writer",)}, (QUEUE,))


def an_envelope(**more: str) -> Envelope:
    return Envelope(new_id(), TYPE, {"n": 1}, datetime.now(UTC), **more)


async def until(condition: Callable[[], bool | Awaitable[bool]], within_s: float = DEADLINE_S) -> None:
    async with asyncio.timeout(within_s):
        while True:
            seen = condition()
            if seen if isinstance(seen, bool) else await seen:
                return
            await asyncio.sleep(POLL_S)


@dataclass
class Keeper:
    """A handler; while `gate` is clear it waits in the middle of each message, and it raises `fails` times."""

    gate: asyncio.Event = field(default_factory=asyncio.Event)
    fails: int = 0
    begun: list[Delivery] = field(default_factory=list)
    handled: list[Delivery] = field(default_factory=list)
    at_once: int = 0
    most_at_once: int = 0

    async def __call__(self, delivery: Delivery) -> None:
        self.begun.append(delivery)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            await self.gate.wait()
        finally:
            self.at_once -= 1
        if self.fails:
            self.fails -= 1
            raise RuntimeError("as the test wants it")
        self.handled.append(delivery)

    @property
    def ids(self) -> list[object]:
        return [delivery.properties["id"] for delivery in self.handled]


def open_keeper(fails: int = 0) -> Keeper:
    keeper = Keeper(fails=fails)
    keeper.gate.set()
    return keeper


def frames(conversation: Conversation) -> list[Any]:
    """Those that the client has sent."""
    data, found = bytes(conversation.up[HEADER:]), []
    while data:
        size, _channel, one = frame.unmarshal(data)
        found.append(one)
        data = data[size:]
    return found


def sent(proxy: TcpProxy, kind: type) -> list[Any]:
    return [one for conversation in proxy.conversations for one in frames(conversation) if isinstance(one, kind)]
