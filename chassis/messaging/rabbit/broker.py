"""The messaging port on RabbitMQ, 3.10 to 4.x."""

import asyncio
from contextlib import suppress
from functools import partial
from uuid import uuid4

import structlog

from chassis.messaging.envelope import Envelope
from chassis.messaging.port import Handler, TopologyDiffers
from chassis.messaging.rabbit.batched_writer import BatchedWriter
from chassis.messaging.rabbit.declare import TIMEOUT_S, ensure_exchange, ensure_queue
from chassis.messaging.rabbit.errors import answered
from chassis.messaging.rabbit.link import Link, Streams
from chassis.messaging.rabbit.publisher import RabbitPublisher
from chassis.messaging.rabbit.raw_properties import RawPropertiesReader
from chassis.messaging.rabbit.subscription import RabbitSubscription
from chassis.messaging.topology import Queue, Topology

REPLIES_PREFETCH = 100
REPLIES_WAIT_S = 5.0

log = structlog.get_logger("chassis.messaging")


class RabbitBroker:
    """One connection publishes and each consumer has its own, so a slow or poisoned queue delays no other."""

    def __init__(self, url: str, name: str) -> None:
        self._url, self._name = url, name
        self._link = Link(url, name, _publishing)
        self._publisher = RabbitPublisher(self._link, name)
        self._declared: dict[str, Queue] = {}
        self._subscriptions: list[RabbitSubscription] = []

    def __repr__(self) -> str:
        return f"RabbitBroker({self._name} at {self._link.where})"

    async def declare(self, topology: Topology) -> None:
        """Remembers the topology: a queue, exchange or binding that is deleted under a consumer is created again."""
        for exchange in topology.writers:
            await ensure_exchange(self._link, exchange)
        for queue in topology.queues:
            await ensure_queue(self._link, queue)
            self._declared[queue.name] = queue

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
        await self._publisher.publish(
            exchange,
            envelope,
            routing_key=routing_key,
            persistent=persistent,
            expires_s=expires_s,
            timeout_s=timeout_s,
        )

    async def consume(self, queue: str, handler: Handler, *, prefetch: int = 20) -> RabbitSubscription:
        link = Link(self._url, f"{self._name} {queue}", _consuming)
        tend = partial(self._tend, link, queue)
        subscription = RabbitSubscription(link, partial(_same, queue), handler, prefetch=prefetch, tend=tend)
        self._subscriptions.append(subscription)
        return subscription

    async def replies(self, exchange: str, handler: Handler) -> str:
        """Waits for the queue; if the broker is away, the queue is created when it is back."""
        key = f"{self._name}.{uuid4().hex}"
        link = Link(self._url, f"{self._name} {exchange}", _consuming)
        attach = partial(_reply_queue, link, exchange, key)
        subscription = RabbitSubscription(link, attach, handler, prefetch=REPLIES_PREFETCH, acknowledges=False)
        self._subscriptions.append(subscription)
        with suppress(TimeoutError):
            async with asyncio.timeout(REPLIES_WAIT_S):
                await subscription.tried.wait()
        return key

    async def depth(self, queue: str) -> int:
        async with self._link.for_once() as channel, answered(f"reading the depth of {queue}", TIMEOUT_S):
            return (await channel.queue_declare(queue, passive=True)).message_count or 0

    async def ping(self) -> None:
        async with self._link.for_once():
            pass

    async def aclose(self) -> None:
        stopping = [subscription.stop() for subscription in self._subscriptions]
        self._subscriptions = []
        await asyncio.gather(*stopping)
        await self._link.aclose()

    async def _tend(self, link: Link, name: str) -> None:
        queue = self._declared.get(name)
        if queue is None:
            return
        try:
            await ensure_queue(link, queue)
        except TopologyDiffers as error:  # a running consumer continues; the next start fails
            log.error("topology differs", queue=name, reason=str(error))


def _publishing(streams: Streams) -> Streams:
    reader, writer = streams
    return reader, BatchedWriter(writer, reader)


def _consuming(streams: Streams) -> Streams:
    reader, writer = streams
    return RawPropertiesReader(reader), BatchedWriter(writer, reader)


async def _same(name: str) -> str:
    return name


async def _reply_queue(link: Link, exchange: str, key: str) -> str:
    """A new queue for each connection: the broker may still hold the previous one."""
    await ensure_exchange(link, exchange)
    name = f"{exchange}.{uuid4().hex}"
    channel = await link.channel()
    async with answered(f"declaring a queue of replies in {exchange}", TIMEOUT_S):
        await channel.queue_declare(name, exclusive=True, auto_delete=True)
        await channel.queue_bind(name, exchange, key)
    return name
