"""One connection to RabbitMQ, opened by the first use. No text shows its password."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any
from urllib.parse import urlsplit

import aiormq
from aiormq.abc import AbstractChannel as Channel
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL

from chassis.messaging.rabbit.errors import answered
from chassis.settings import SettingsInvalid

HEARTBEAT_S = 5  # a connection without one for three times as long is lost
CONNECT_TIMEOUT_S = 5.0
PORTS = {"amqp": 5672, "amqps": 5671}
CLOSE_TIMEOUT_S = 3.0
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Link:
    """`name`: shown to the broker's administrator. `wrap`: replaces the connection's streams. Errors are the port's."""

    def __init__(self, url: str, name: str, wrap: Callable[[Streams], Streams]) -> None:
        self._url, self.name, self._transport = url, name, _WrappedTransport(wrap)
        self._connection: aiormq.Connection | None = None
        self._opening = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()
        self.where = _where(url)

    def __repr__(self) -> str:
        return f"Link({self.name} to {self.where})"

    async def open(self) -> aiormq.Connection:
        """The open connection, or a new one. Raises BrokerUnavailable."""
        async with self._opening:
            if self._connection is None or not self._connection.is_opened:
                self.abandon()
                async with answered(f"connecting to {self.where}", CONNECT_TIMEOUT_S, {}):
                    self._connection = await aiormq.connect(
                        URL(self._url).update_query(heartbeat=HEARTBEAT_S),
                        client_properties={"connection_name": self.name},
                        transport_factory=self._transport,
                    )
            return self._connection

    async def channel(self) -> Channel:
        """A new channel that confirms publishes and raises for returned messages. Raises BrokerUnavailable."""
        connection = await self.open()
        async with answered(f"opening a channel at {self.where}", CONNECT_TIMEOUT_S, {}):
            await connection.ready()  # an alarm at the broker blocks it
            return await connection.channel(on_return_raises=True)

    @asynccontextmanager
    async def for_once(self) -> AsyncIterator[Channel]:
        """A channel for one task: the broker closes it if the task fails."""
        channel = await self.channel()
        try:
            yield channel
        finally:
            with suppress(Exception):
                async with asyncio.timeout(CLOSE_TIMEOUT_S):
                    await channel.close()

    def abandon(self) -> None:
        """Closes the connection in the background; the next use opens a new one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            task = asyncio.create_task(_close(connection))
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)

    async def aclose(self) -> None:
        """Returns when all connections are closed."""
        self.abandon()
        if self._closing:
            await asyncio.wait(self._closing)


class _WrappedTransport(TransportFactory):
    """Opens streams as the library does, then wraps them."""

    def __init__(self, wrap: Callable[[Streams], Streams]) -> None:
        self._wrap = wrap

    async def create(self, url: URL, **more: Any) -> Streams:
        factory = TLSTransportFactory() if url.scheme == "amqps" else TCPTransportFactory()
        return self._wrap(await factory.create(url, **more))


async def _close(connection: aiormq.Connection) -> None:
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
    raise SettingsInvalid("the broker's URL is not valid; expected amqp://USER:PASSWORD@HOST:PORT/VHOST")
