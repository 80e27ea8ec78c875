"""What the suite needs of each kind of broker, and what its tests share."""

import asyncio
import inspect
import itertools
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

import aio_pika
from aio_pika.abc import HeadersType

from chassis.messaging.envelope import Envelope, new_id
from chassis.messaging.port import Broker, Delivery
from chassis.messaging.rabbit.broker import RabbitBroker
from chassis.messaging.sqlite.broker import SqliteBroker
from chassis.messaging.topology import Queue, Topology
from tests.support.connected import fresh_rabbit
from tests.support.memory_broker import MemoryBroker

NOW = datetime(2026, 11, 24, 12, 30, 15, 123456, tzinfo=UTC)
DEADLINE_S = 10.0
TYPE, OTHER = "thing.done.v1", "other.done.v1"
THINGS = Queue("things", "a", "events", (TYPE,), max_length=100, delivery_limit=2)
OTHERS = Queue("others", "b", "events", (OTHER,), max_length=100)
TOPOLOGY = Topology({"events": ("a",), "answers": ("a",)}, (THINGS, OTHERS))


class Brokers(Protocol):
    """One kind of broker, at first empty: no queue, no exchange."""

    async def connect(self, name: str = "service") -> Broker:
        """A new connection, closed by `aclose`."""
        ...

    async def put_raw(self, exchange: str, key: str, properties: Mapping[str, str], body: bytes) -> None:
        """Past the port: a message that is none of ours. Properties named as by `to_record`."""
        ...

    async def aclose(self) -> None: ...


class InMemory:
    """Brokers in memory."""

    def __init__(self, _folder: Path) -> None:
        self._first = MemoryBroker()
        self._connections = [self._first]

    async def connect(self, name: str = "service") -> Broker:
        self._connections.append(self._first.sibling())
        return self._connections[-1]

    async def put_raw(self, exchange: str, key: str, properties: Mapping[str, str], body: bytes) -> None:
        self._first.put(exchange, key, properties, body)

    async def aclose(self) -> None:
        await asyncio.gather(*(one.aclose() for one in self._connections))


class InTables:
    """Brokers in an SQLite file, a connection each."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "broker.db"
        self._connections: list[SqliteBroker] = []

    async def connect(self, name: str = "service") -> SqliteBroker:
        self._connections.append(SqliteBroker(self._path, name))
        return self._connections[-1]

    async def put_raw(self, exchange: str, key: str, properties: Mapping[str, str], body: bytes) -> None:
        await (await self.connect()).put(exchange, key, properties, body)

    async def aclose(self) -> None:
        await asyncio.gather(*(one.aclose() for one in self._connections))


class InRabbit:
    """Brokers on RabbitMQ, in a virtual host of their own."""

    def __init__(self, _folder: Path) -> None:
        self._url = fresh_rabbit()
        self._connections: list[RabbitBroker] = []

    async def connect(self, name: str = "service") -> RabbitBroker:
        self._connections.append(RabbitBroker(self._url, name))
        return self._connections[-1]

    async def put_raw(self, exchange: str, key: str, properties: Mapping[str, str], body: bytes) -> None:
        """As another program would."""
        names = {"id": "message_id", "type": "type", "request_id": "correlation_id", "reply_to": "reply_to"}
        known = {names[name]: text for name, text in properties.items() if name in names}
        headers: HeadersType = {name: text for name, text in properties.items() if name not in names}
        async with await aio_pika.connect(self._url) as connection:
            channel = await connection.channel()
            message = aio_pika.Message(body, headers=headers, **known)  # type: ignore[arg-type]  # texts, all of them
            await (await channel.get_exchange(exchange)).publish(message, key)

    async def aclose(self) -> None:
        await asyncio.gather(*(one.aclose() for one in self._connections))


class Collector:
    """A handler that keeps what it is handed; with `gate` it waits there first, with `fails` it then raises."""

    def __init__(self, gate: asyncio.Event | None = None, *, fails: bool = False) -> None:
        self.begun: list[Delivery] = []
        self.handled: list[Delivery] = []
        self.at_once = self.most_at_once = 0
        self._gate, self._fails = gate, fails

    async def __call__(self, delivery: Delivery) -> None:
        self.begun.append(delivery)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            if self._gate is not None:
                await self._gate.wait()
        finally:
            self.at_once -= 1
        if self._fails:
            raise RuntimeError("as asked")
        self.handled.append(delivery)

    @property
    def ids(self) -> list[str]:
        """Of what was handled."""
        return [delivery.envelope().id for delivery in self.handled]

    async def until(self, count: int) -> None:
        """So many have been handled."""
        await until(lambda: len(self.handled) >= count)


def thing(number: int = 0, type_: str = TYPE) -> Envelope:
    return Envelope(new_id(), type_, {"number": number}, NOW)


async def until(condition: Callable[[], bool | Awaitable[bool]], within_s: float = DEADLINE_S) -> None:
    """Fails where it is not true in time."""
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
