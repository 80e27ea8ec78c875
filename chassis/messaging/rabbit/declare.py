"""Declares a topology at RabbitMQ: durable direct exchanges, bounded quorum queues, dead letters never dropped."""

from collections.abc import Mapping

from aiormq.abc import AbstractChannel as Channel

from chassis.messaging.rabbit.errors import MayNot, answered
from chassis.messaging.rabbit.link import Link
from chassis.messaging.topology import Queue

TIMEOUT_S = 10.0
ENDLESS = 1_000_000_000  # by default RabbitMQ 4 drops a message after 20 deliveries
Arguments = Mapping[str, str | int]


async def ensure_queue(link: Link, queue: Queue) -> None:
    """With its exchange, bindings and queue of dead letters. Raises TopologyDiffers, BrokerUnavailable."""
    await ensure_exchange(link, queue.exchange)
    await ensure_exchange(link, queue.dead)
    async with link.for_once() as channel:
        await _declare(channel, queue.dead, dead_arguments(queue))
        await _bind(channel, queue.dead, queue.dead, queue.dead)
        await _declare(channel, queue.name, arguments(queue))
        for routing_key in queue.types:
            await _bind(channel, queue.name, queue.exchange, routing_key)


def arguments(queue: Queue) -> Arguments:
    """A full queue refuses publishes: at-least-once dead-lettering requires that."""
    return _bounded(queue, queue.delivery_limit) | {
        "x-dead-letter-exchange": queue.dead,
        "x-dead-letter-routing-key": queue.dead,
        "x-dead-letter-strategy": "at-least-once",
    }


def dead_arguments(queue: Queue) -> Arguments:
    """No message leaves this queue unless a consumer takes it."""
    return _bounded(queue, ENDLESS)


def _bounded(queue: Queue, delivery_limit: int) -> dict[str, str | int]:
    return {
        "x-queue-type": "quorum",
        "x-max-length": queue.max_length,
        "x-overflow": "reject-publish",
        "x-delivery-limit": delivery_limit,
    }


async def ensure_exchange(link: Link, name: str) -> None:
    """A user without permission to create it only checks that it exists."""
    what = f"declaring the exchange {name}"
    try:
        async with link.for_once() as channel, answered(what, TIMEOUT_S):
            await channel.exchange_declare(name, exchange_type="direct", durable=True)
    except MayNot:
        async with link.for_once() as channel, answered(what, TIMEOUT_S):
            await channel.exchange_declare(name, passive=True)


async def _declare(channel: Channel, name: str, with_arguments: Arguments) -> None:
    async with answered(f"declaring the queue {name}", TIMEOUT_S):
        await channel.queue_declare(name, durable=True, arguments=dict(with_arguments))


async def _bind(channel: Channel, queue: str, exchange: str, routing_key: str) -> None:
    async with answered(f"binding {queue} to {exchange}", TIMEOUT_S):
        await channel.queue_bind(queue, exchange, routing_key)
