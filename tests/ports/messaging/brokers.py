"""What the suite needs of each kind of broker."""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import aiormq
from pamqp.commands import Basic
from pamqp.common import FieldTable

from chassis.messaging.port import Broker
from chassis.messaging.rabbit.broker import RabbitBroker
from chassis.messaging.sqlite.broker import SqliteBroker
from tests.support.connected import fresh_rabbit
from tests.support.memory_broker import MemoryBroker


class Brokers(ABC):
    """One kind of broker, at first empty: no queue, no exchange."""

    def __init__(self) -> None:
        self._connections: list[Broker] = []

    async def connect(self, name: str = "service") -> Broker:
        """A new connection, closed by `aclose`."""
        self._connections.append(self.open(name))
        return self._connections[-1]

    @abstractmethod
    def open(self, name: str) -> Broker: ...

    @abstractmethod
    async def put_raw(self, exchange: str, key: str, properties: Mapping[str, str], body: bytes) -> None:
        """Without the port: an invalid message. Properties named as by `to_record`."""

    async def aclose(self) -> None:
        await asyncio.gather(*(one.aclose() for one in self._connections))


class InMemory(Brokers):
    """Brokers in memory."""

    def __init__(self, _folder: Path) -> None:
        super().__init__()
        self._first = MemoryBroker()

    def open(self, name: str) -> Broker:
        return self._first.sibling()

    async def put_raw(self, exchange: str, key: str, properties: Mapping[str, str], body: bytes) -> None:
        self._first.put(exchange, key, properties, body)


class InSqlite(Brokers):
    """Brokers on an SQLite file."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._path = folder / "broker.db"

    def open(self, name: str) -> SqliteBroker:
        return SqliteBroker(self._path, name)

    async def put_raw(self, exchange: str, key: str, properties: Mapping[str, str], body: bytes) -> None:
        self._connections.append(broker := self.open("raw"))
        await broker.put(exchange, key, properties, body)


class InRabbit(Brokers):
    """Brokers on RabbitMQ, in their own virtual host."""

    def __init__(self, _folder: Path) -> None:
        super().__init__()
        self._url = fresh_rabbit()

    def open(self, name: str) -> Broker:
        return RabbitBroker(self._url, name)

    async def put_raw(self, exchange: str, key: str, properties: Mapping[str, str], body: bytes) -> None:
        names = {"id": "message_id", "type": "message_type", "request_id": "correlation_id", "reply_to": "reply_to"}
        known: dict[str, Any] = {names[name]: text for name, text in properties.items() if name in names}
        headers: FieldTable = {name: text for name, text in properties.items() if name not in names}
        async with aiormq.connect(self._url) as connection:
            channel = await connection.channel()
            sent = Basic.Properties(headers=headers, **known)
            await channel.basic_publish(body, exchange=exchange, routing_key=key, properties=sent)
