"""A broker in memory that implements the port, with faults on demand; for unit and property tests alone.

Automatic: consumers take by themselves. Stepped: nothing moves until `deliver_next` or `deliver`, so that a state
machine decides who gets what when; a handler then runs to its end inside that call.
"""

import asyncio
import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import structlog

from chassis.messaging.envelope import Envelope, encode_body, to_record
from chassis.messaging.port import Delivery, Handler, Subscription
from chassis.messaging.sqlite.consumer_loop import ConsumerLoop, LeasedMessage
from chassis.messaging.topology import Topology
from tests.support.memory_broker.faults import Fault, Faults
from tests.support.memory_broker.queues import Line, Memory, Message

__all__ = ["Fault", "Faults", "MemoryBroker", "Pending"]
log = structlog.get_logger("chassis.messaging")
_REPLIES_MAX_LENGTH = 10_000
_REPLIES_AT_ONCE = 100
_keys = itertools.count(1)


@dataclass(frozen=True, slots=True)
class Pending:
    """A message that could be delivered now, and to whom."""

    queue: str
    message: Message
    consumer: "_SteppedConsumer"

    @property
    def envelope(self) -> Envelope:
        """Raises MessageInvalid."""
        return self.message.delivery.envelope()


class MemoryBroker:
    """`sibling` gives another connection to the same queues, as another process would have it."""

    def __init__(
        self,
        faults: Faults | None = None,
        *,
        is_stepped: bool = False,
        clock: Callable[[], float] = time.monotonic,
        memory: Memory | None = None,
    ) -> None:
        self.memory = memory or Memory(faults or Faults(), clock)
        self.is_stepped = is_stepped
        self._consumers: list[ConsumerLoop] = []
        self._stepped: list[_SteppedConsumer] = []
        self._replies: list[str] = []
        self.memory.woken.append(self._wake)

    @property
    def faults(self) -> Faults:
        """Of all siblings."""
        return self.memory.faults

    def sibling(self) -> "MemoryBroker":
        """Stepped where this one is."""
        return MemoryBroker(is_stepped=self.is_stepped, memory=self.memory)

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
        """As publish, whatever the message is."""
        expires_at = None if expires_s is None else self.memory.clock() + expires_s
        self.memory.put(exchange, key, Delivery("", properties, body), expires_at)

    async def consume(self, queue: str, handler: Handler, *, prefetch: int = 20) -> Subscription:
        source = _PolledQueue(self.memory, queue)
        if self.is_stepped:
            self._stepped.append(stepped := _SteppedConsumer(queue, source, handler))
            return stepped
        self._consumers.append(consumer := ConsumerLoop(source, handler, prefetch, queue))
        return consumer

    async def replies(self, exchange: str, handler: Handler) -> str:
        queue = f"{exchange}.{next(_keys)}"
        self.memory.lines[queue] = Line(_REPLIES_MAX_LENGTH, 0, bound={(exchange, queue)})
        self._replies.append(queue)
        await self.consume(queue, _losing(handler), prefetch=_REPLIES_AT_ONCE)
        return queue

    async def depth(self, queue: str) -> int:
        return len(self.memory.ready(queue))

    async def ping(self) -> None:
        return None

    async def aclose(self) -> None:
        await asyncio.gather(*(consumer.stop() for consumer in self._consumers))
        self._leave()

    async def crash(self) -> None:
        """As if the process had been killed: what it had taken goes back, its replies are gone."""
        await asyncio.gather(*(consumer.kill() for consumer in self._consumers))
        self._leave()

    def pending(self) -> list[Pending]:
        """Stepped: all that could be delivered to the consumers of this connection, in a fixed order."""
        ready = [(one, message) for one in self._stepped if one.is_consuming for message in one.ready()]
        return [Pending(one.queue, message, one) for one, message in ready]

    async def deliver(self, pending: Pending) -> None:
        """One that `pending` has just told, to the end of its handler."""
        await pending.consumer.deliver(pending.message)

    async def deliver_next(self) -> Pending | None:
        """The first of `pending`; none: there is nothing."""
        if not (all_pending := self.pending()):
            return None
        await self.deliver(all_pending[0])
        return all_pending[0]

    def _wake(self) -> None:
        for consumer in self._consumers:
            consumer.wake()

    def _leave(self) -> None:
        self._consumers, self._stepped = [], []
        for queue in self._replies:
            self.memory.lines.pop(queue, None)
        if self._wake in self.memory.woken:
            self.memory.woken.remove(self._wake)


class _PolledQueue:
    """A Source over one queue in memory."""

    def __init__(self, memory: Memory, queue: str) -> None:
        self.memory, self.queue = memory, queue

    async def take(self, at_most: int) -> list[LeasedMessage]:
        return self.memory.take(self.queue, at_most)

    async def acknowledge(self, taken: LeasedMessage) -> None:
        self.memory.acknowledge(taken)

    async def give_back(self, taken: LeasedMessage, *, failed: bool) -> None:
        self.memory.give_back(taken, failed=failed)


class _SteppedConsumer:
    """A Subscription that is handed messages one at a time, by hand."""

    def __init__(self, queue: str, source: _PolledQueue, handler: Handler) -> None:
        self.queue, self._source, self._handler = queue, source, handler
        self.is_consuming = True

    def ready(self) -> list[Message]:
        return self._source.memory.ready(self.queue)

    async def deliver(self, message: Message) -> None:
        taken = self._source.memory.take_one(self.queue, message)
        try:
            await self._handler(taken.delivery)
        except BaseException as error:
            await self._source.give_back(taken, failed=True)
            if not isinstance(error, Exception):
                raise
            log.info("a handler failed", queue=self.queue, reason=repr(error))
        else:
            await self._source.acknowledge(taken)

    async def pause(self) -> None:
        self.is_consuming = False

    async def resume(self) -> None:
        self.is_consuming = True

    async def stop(self, grace_s: float = 10.0) -> None:
        self.is_consuming = False


def _losing(handler: Handler) -> Handler:
    async def handle(delivery: Delivery) -> None:
        try:
            await handler(delivery)
        except Exception:
            log.exception("a reply was lost")

    return handle
