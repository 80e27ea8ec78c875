"""Publishes to RabbitMQ: mandatory, confirmed, within a time limit; a faulty exchange does not affect the others."""

import asyncio
from dataclasses import dataclass, field
from weakref import WeakValueDictionary

from aiormq.abc import AbstractChannel as Channel
from pamqp.commands import Basic

from chassis.messaging.envelope import Envelope, MessageInvalid, encode_body
from chassis.messaging.port import BrokerUnavailable
from chassis.messaging.rabbit.errors import PUBLISHING, answered
from chassis.messaging.rabbit.link import Link
from chassis.messaging.rabbit.message import to_properties

SILENCE_S = 2.0  # after so long without any answer, a new connection is opened


@dataclass
class _ExchangeChannel:
    """The channel of one exchange. If an exchange is missing or forbidden, the broker closes the channel at the first
    publish, and the connection at the second. So until one publish is confirmed, the next waits."""

    channel: Channel | None = None
    is_proven: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    def proven(self) -> Channel | None:
        return self.channel if self.is_proven and self.is_open else None

    @property
    def is_open(self) -> bool:
        return self.channel is not None and not self.channel.is_closed


@dataclass(frozen=True)
class _Publication:
    exchange: str
    routing_key: str
    properties: Basic.Properties
    body: bytes


class RabbitPublisher:
    """Errors are those of the port."""

    def __init__(self, link: Link, sender: str) -> None:
        self._link, self._sender = link, sender
        self._channels: dict[str, _ExchangeChannel] = {}
        self._same_id: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._heard_at = 0.0

    async def publish(
        self,
        exchange: str,
        envelope: Envelope,
        *,
        routing_key: str | None = None,
        persistent: bool = True,
        expires_s: float | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        """See the port. `timeout_s` includes opening a connection."""
        key = routing_key or envelope.type
        if len(key.encode()) > 255:
            raise MessageInvalid("the routing key is longer than 255 bytes")
        properties = to_properties(envelope, sender=self._sender, persistent=persistent, expires_s=expires_s)
        message = _Publication(exchange, key, properties, encode_body(envelope.body))
        begun = asyncio.get_running_loop().time()
        try:
            async with answered(f"publishing to {exchange}", timeout_s, PUBLISHING), self._lock(envelope.id):
                await self._sent(message)
        except BrokerUnavailable:
            self._doubt(begun)
            raise
        self._heard_at = asyncio.get_running_loop().time()

    def _lock(self, message_id: str) -> asyncio.Lock:
        """One publish per id at a time: the library identifies returned messages by id alone."""
        return self._same_id.setdefault(message_id, asyncio.Lock())

    async def _sent(self, message: _Publication) -> None:
        own = self._channels.setdefault(message.exchange, _ExchangeChannel())
        if channel := own.proven():
            await _confirmed(channel, message)
            return
        async with own.turn:
            if own.channel is None or not own.is_open:
                own.channel, own.is_proven = await self._link.channel(), False
            await _confirmed(own.channel, message)
            own.is_proven = True

    def _doubt(self, begun: float) -> None:
        """Leaves a half-open connection before its heartbeats are missed: it swallows everything."""
        if asyncio.get_running_loop().time() - max(begun, self._heard_at) >= SILENCE_S:
            self._channels.clear()
            self._link.abandon()


async def _confirmed(channel: Channel, message: _Publication) -> None:
    await channel.connection.ready()  # an alarm at the broker blocks it
    await channel.basic_publish(  # type: ignore[call-arg]  # aiormq declares `wait` in the class that it returns alone
        message.body,
        exchange=message.exchange,
        routing_key=message.routing_key,
        properties=message.properties,
        mandatory=True,
        wait=False,  # for the socket: it would send one after the other, each as a packet of its own
    )
