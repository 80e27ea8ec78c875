"""What the suite needs of each kind of broker."""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

import aio_pika
from aio_pika.abc import HeadersType

from chassis.messaging.port import Broker
from chassis.messaging.rabbit.broker import RabbitBroker
from chassis.messaging.sqlite.broker import SqliteBroker
from tests.support.connected import fresh_rabbit
from tests.support.memory_broker import MemoryBroker


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
