"""What tests of messaging share: one small topology, messages, a handler that keeps what it gets, deadlines."""

import asyncio
import inspect
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from chassis.messaging.envelope import Envelope, new_id
from chassis.messaging.port import Broker, Delivery
from chassis.messaging.topology import Queue, Topology

NOW = datetime(2026, 11, 24, 12, 30, 15, 123456, tzinfo=UTC)
DEADLINE_S = 60.0
TYPE, OTHER = "thing.done.v1", "other.done.v1"
THINGS = Queue("things", "a", "events", (TYPE,), max_length=1000, delivery_limit=2)
OTHERS = Queue("others", "b", "events", (OTHER,), max_length=100)
TOPOLOGY = Topology({"events": ("a",), "answers": ("a",)}, (THINGS, OTHERS))
JUST_THINGS = Topology({"events": ("a",)}, (THINGS,))


def thing(number: int = 0, type_: str = TYPE, **more: str) -> Envelope:
    return Envelope(new_id(), type_, {"number": number}, NOW, **more)


def _open() -> asyncio.Event:
    gate = asyncio.Event()
    gate.set()
    return gate


@dataclass
class Collector:
    """A handler that keeps what it gets. It waits in each message for `gate`, and raises for the first `fails`."""

    gate: asyncio.Event = field(default_factory=_open)
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
    def ids(self) -> list[str]:
        """Of what was handled."""
        return [str(delivery.properties["id"]) for delivery in self.handled]

    async def until(self, count: int) -> None:
        """So many have been handled."""
        await until(lambda: len(self.handled) >= count)


async def until(condition: Callable[[], bool | Awaitable[bool]], within_s: float = DEADLINE_S) -> None:
    """Fails if it does not become true in time."""
    async with asyncio.timeout(within_s):
        for waits in itertools.count():
            seen = condition()
            if await seen if inspect.isawaitable(seen) else seen:
                return
            await asyncio.sleep(0.005 if waits < 20 else 0.02)


async def until_depth(broker: Broker, queue: str, depth: int) -> None:
    """So many messages are ready there."""

    async def reached() -> bool:
        return await broker.depth(queue) == depth

    await until(reached)
