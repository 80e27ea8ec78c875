"""A broker in memory that implements the messaging port, with faults on demand."""

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import Enum

import structlog

from chassis.messaging.envelope import Envelope, encode_body, to_record
from chassis.messaging.port import BrokerUnavailable, Delivery, Handler, PublishRefused, TopologyDiffers, Unroutable
from chassis.messaging.sqlite.consumer_loop import ConsumerLoop, LeasedMessage
from chassis.messaging.topology import Queue, Topology

log = structlog.get_logger("chassis.messaging")
_keys = itertools.count(1)


class Fault(Enum):
    """Of one publish."""

    REFUSE = "PublishRefused"
    UNAVAILABLE = "BrokerUnavailable, and the message is nowhere"
    UNCONFIRMED = "BrokerUnavailable, yet the message is there"


@dataclass(slots=True)
class Message:
    """`token`: of its lease; None while it is ready."""

    number: int
    delivery: Delivery
    expires_at: float | None
    token: int | None = None


@dataclass(slots=True)
class Line:
    """One queue: its messages in order, leased ones included. `delivery_limit` None: there is no limit."""

    max_length: int
    delivery_limit: int | None
    bound: set[tuple[str, str]] = field(default_factory=set)
    messages: list[Message] = field(default_factory=list)

    @property
    def is_full(self) -> bool:
        return len(self.messages) >= self.max_length


class Memory:
    """The queues, which several connections share. `faults`: one for each of the next publishes."""

    def __init__(self) -> None:
        self.lines: dict[str, Line] = {}
        self.faults: deque[Fault] = deque()
        self.consumers: list[ConsumerLoop] = []
        self._numbers = itertools.count(1)

    def declare(self, topology: Topology) -> None:
        for queue in topology.queues:
            self._check(queue)
        for queue in topology.queues:
            self.lines.setdefault(queue.dead, Line(queue.max_length, None))
            line = self.lines.setdefault(queue.name, Line(queue.max_length, queue.delivery_limit))
            line.bound |= {(queue.exchange, routing_key) for routing_key in queue.types}

    def _check(self, queue: Queue) -> None:
        line = self.lines.get(queue.name)
        if line and (line.max_length, line.delivery_limit) != (queue.max_length, queue.delivery_limit):
            raise TopologyDiffers(f"queue {queue.name}: wanted {queue.max_length} and {queue.delivery_limit}")

    def put(self, exchange: str, key: str, delivery: Delivery, expires_at: float | None) -> None:
        """Adds it to every bound queue, or to none."""
        fault = self.faults.popleft() if self.faults else None
        if fault is Fault.UNAVAILABLE:
            raise BrokerUnavailable("a fault on demand")
        bound = {name: line for name, line in self.lines.items() if (exchange, key) in line.bound}
        if not bound:
            raise Unroutable(f"no queue is bound in {exchange} for {key}")
        if fault is Fault.REFUSE or any(line.is_full for line in bound.values()):
            raise PublishRefused("a queue is full")
        for name, line in bound.items():
            line.messages.append(Message(next(self._numbers), replace(delivery, queue=name), expires_at))
        self.wake()
        if fault is Fault.UNCONFIRMED:
            raise BrokerUnavailable("a fault on demand: not confirmed")

    def ready(self, queue: str) -> list[Message]:
        if queue not in self.lines:
            raise TopologyDiffers(f"there is no queue {queue}: declare the topology first")
        line, now = self.lines[queue], time.monotonic()
        line.messages = [one for one in line.messages if one.expires_at is None or one.expires_at > now]
        return [one for one in line.messages if one.token is None]

    def take(self, queue: str, at_most: int) -> list[LeasedMessage]:
        messages = self.ready(queue)[:at_most]
        for message in messages:
            message.token = next(self._numbers)
        return [LeasedMessage(one.number, one.token or 0, one.delivery) for one in messages]

    def acknowledge(self, leased: LeasedMessage) -> None:
        if line := self.lines.get(leased.delivery.queue):
            line.messages = [one for one in line.messages if one.token != leased.token]

    def give_back(self, leased: LeasedMessage, *, failed: bool) -> None:
        """To its place, or to the dead letters."""
        line = self.lines.get(leased.delivery.queue)
        for message in [one for one in line.messages if one.token == leased.token] if line else []:
            message.token, message.delivery = None, replace(message.delivery, count=message.delivery.count + failed)
            if line and line.delivery_limit is not None and message.delivery.count > line.delivery_limit:
                line.messages.remove(message)
                self._bury(message)
        self.wake()

    def _bury(self, message: Message) -> None:
        queue = message.delivery.queue
        died = replace(message.delivery, queue=f"{queue}.dead", count=0, died=f"delivery_limit in {queue}")
        self.lines[died.queue].messages.append(replace(message, delivery=died))

    def wake(self) -> None:
        for consumer in self.consumers:
            consumer.wake()


class MemoryBroker:
    """`memory`: that of another connection, to share its queues."""

    def __init__(self, memory: Memory | None = None) -> None:
        self.memory = memory or Memory()
        self.faults = self.memory.faults
        self._consumers: list[ConsumerLoop] = []
        self._replies: list[str] = []

    def sibling(self) -> "MemoryBroker":
        return MemoryBroker(self.memory)

    async def declare(self, topology: Topology) -> None:
        self.memory.declare(topology)

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
        body = encode_body(envelope.body)
        self.put(exchange, envelope.type if routing_key is None else routing_key, to_record(envelope), body, expires_s)

    def put(
        self, exchange: str, key: str, properties: Mapping[str, object], body: bytes, expires_s: float | None = None
    ) -> None:
        """Publishes without checking the message."""
        expires_at = None if expires_s is None else time.monotonic() + expires_s
        self.memory.put(exchange, key, Delivery("", properties, body), expires_at)

    async def consume(self, queue: str, handler: Handler, *, prefetch: int = 20) -> ConsumerLoop:
        consumer = ConsumerLoop(_MemoryQueue(self.memory, queue), handler, prefetch, queue)
        self._consumers.append(consumer)
        self.memory.consumers.append(consumer)
        return consumer

    async def replies(self, exchange: str, handler: Handler) -> str:
        queue = f"{exchange}.{next(_keys)}"
        self.memory.lines[queue] = Line(10_000, None, {(exchange, queue)})
        self._replies.append(queue)
        await self.consume(queue, _losing(handler), prefetch=100)
        return queue

    async def depth(self, queue: str) -> int:
        return len(self.memory.ready(queue))

    async def ping(self) -> None:
        return None

    async def aclose(self) -> None:
        await asyncio.gather(*(consumer.stop() for consumer in self._consumers))
        self.memory.consumers[:] = [one for one in self.memory.consumers if one not in self._consumers]
        self._consumers = []
        for queue in self._replies:
            self.memory.lines.pop(queue, None)


@dataclass(frozen=True)
class _MemoryQueue:
    """One queue as its consumer sees it."""

    memory: Memory
    queue: str

    async def take(self, at_most: int) -> list[LeasedMessage]:
        return self.memory.take(self.queue, at_most)

    async def acknowledge(self, taken: LeasedMessage) -> None:
        self.memory.acknowledge(taken)

    async def give_back(self, taken: LeasedMessage, *, failed: bool) -> None:
        self.memory.give_back(taken, failed=failed)


def _losing(handler: Handler) -> Handler:
    """A reply whose handler fails is lost."""

    async def handle(delivery: Delivery) -> None:
        try:
            await handler(delivery)
        except Exception:
            log.exception("a reply was lost")

    return handle
