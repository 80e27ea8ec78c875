"""Publishing to RabbitMQ: mandatory, confirmed, in time, and one exchange's faults kept from the others."""

import asyncio
from weakref import WeakValueDictionary

from aiormq.abc import AbstractChannel as Channel

from chassis.messaging.envelope import Envelope, MessageInvalid, encode_body
from chassis.messaging.port import BrokerUnavailable
from chassis.messaging.rabbit_errors import PUBLISHING, answered
from chassis.messaging.rabbit_link import Link
from chassis.messaging.rabbit_message import to_properties

SILENCE_S = 2.0  # a broker that answers nobody for so long gets a new connection


class RabbitPublisher:
    """A channel an exchange: the broker closes a channel for a publish to an exchange that is missing or forbidden."""

    def __init__(self, link: Link, sender: str) -> None:
        self._link, self._sender = link, sender
        self._channels: dict[str, Channel] = {}
        self._opening = asyncio.Lock()
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
        """As the port has it; `timeout_s` holds for everything, the connection included."""
        body = encode_body(envelope.body)
        properties = to_properties(envelope, sender=self._sender, persistent=persistent, expires_s=expires_s)
        key = routing_key or envelope.type
        if len(key.encode()) > 255:
            raise MessageInvalid("the routing key is longer than 255 bytes")
        begun = asyncio.get_running_loop().time()
        try:
            async with answered(f"publishing to {exchange}", timeout_s, PUBLISHING), self._lock(envelope.id):
                channel = await self._channel(exchange)
                await channel.connection.ready()  # not while an alarm blocks it
                await channel.basic_publish(
                    body, exchange=exchange, routing_key=key, properties=properties, mandatory=True
                )
        except BrokerUnavailable:
            self._doubt(begun)
            raise
        self._heard_at = asyncio.get_running_loop().time()

    def _lock(self, message_id: str) -> asyncio.Lock:
        """One at a time under the same id: the library tells returned messages apart by it alone."""
        return self._same_id.setdefault(message_id, asyncio.Lock())

    async def _channel(self, exchange: str) -> Channel:
        channel = self._channels.get(exchange)
        if channel is None or channel.is_closed:
            async with self._opening:
                channel = self._channels.get(exchange)
                if channel is None or channel.is_closed:
                    channel = self._channels[exchange] = await self._link.channel()
        return channel

    def _doubt(self, begun: float) -> None:
        """A half-open connection swallows everything until its heartbeats are missed: leave it before."""
        if asyncio.get_running_loop().time() - max(begun, self._heard_at) >= SILENCE_S:
            self._channels.clear()
            self._link.abandon()
