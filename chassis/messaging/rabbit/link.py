"""One connection to RabbitMQ: opened by use, let go of when it is lost, never with its password in a text."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import aio_pika
from aiormq.abc import AbstractChannel as Channel
from pamqp.common import FieldTable

from chassis.messaging.rabbit.errors import answered
from chassis.service.settings import SettingsInvalid

if TYPE_CHECKING:
    from aio_pika.abc import AbstractConnection

HEARTBEAT_S = 5  # a connection that is silent for three of them is lost
CONNECT_TIMEOUT_S = 5.0
PORTS = {"amqp": 5672, "amqps": 5671}
CLOSE_TIMEOUT_S = 3.0


class Link:
    """`name`: what the broker's administrator sees. Errors are those of the port."""

    def __init__(self, url: str, name: str, kind: "type[AbstractConnection]" = aio_pika.Connection) -> None:
        self._url, self.name, self._kind = url, name, kind
        self._connection: AbstractConnection | None = None
        self._opening = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self.where = _where(url)

    def __repr__(self) -> str:
        return f"Link({self.name} to {self.where})"

    async def open(self) -> "AbstractConnection":
        """The connection that is there, or a new one. Raises BrokerUnavailable."""
        async with self._opening:
            if self._connection is None or not _lives(self._connection):
                self.abandon()
                async with answered(f"connecting to {self.where}", CONNECT_TIMEOUT_S, {}):
                    properties: FieldTable = {"connection_name": self.name}
                    self._connection = await aio_pika.connect(
                        self._url, heartbeat=HEARTBEAT_S, client_properties=properties, connection_class=self._kind
                    )
            return self._connection

    async def channel(self) -> Channel:
        """A new one: confirms publishes, raises for what comes back. Raises BrokerUnavailable."""
        connection = await self.open()
        async with answered(f"opening a channel at {self.where}", CONNECT_TIMEOUT_S, {}):
            channel = connection.channel(on_return_raises=True)
            await channel.initialize()
            return await channel.get_underlay_channel()

    @asynccontextmanager
    async def for_once(self) -> AsyncIterator[Channel]:
        """A channel that may be closed by what is asked on it."""
        channel = await self.channel()
        try:
            yield channel
        finally:
            with suppress(Exception):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await channel.close()

    def abandon(self) -> None:
        """The next use opens a new one; this one is closed meanwhile, however long it takes."""
        connection, self._connection = self._connection, None
        if connection is not None:
            task = asyncio.create_task(_close(connection))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Returns when everything is closed."""
        self.abandon()
        if self._closing:
            await asyncio.wait(self._closing)


def _lives(connection: "AbstractConnection") -> bool:
    """At once, not when those who wait for its end have been told."""
    return connection.transport is not None and connection.transport.connection.is_opened


async def _close(connection: "AbstractConnection") -> None:
    with suppress(Exception):
        async with asyncio.timeout(CLOSE_TIMEOUT_S):
            await connection.close()


def _where(url: str) -> str:
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
        if parts.hostname:
            return f"{parts.hostname}:{port}"
    except (ValueError, KeyError):
        pass
    raise SettingsInvalid("the broker's URL is none; wanted amqp://USER:PASSWORD@HOST:PORT/VHOST")
