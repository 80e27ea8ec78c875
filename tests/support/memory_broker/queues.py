"""The queues of the broker in memory, which several connections share."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

from chassis.messaging.port import BrokerUnavailable, Delivery, PublishRefused, TopologyDiffers, Unroutable
from chassis.messaging.sqlite.consumer_loop import LeasedMessage
from chassis.messaging.topology import Queue, Topology
from tests.support.memory_broker.faults import Fault, Faults

_LONGEST_DELAY = 5


@dataclass(slots=True)
class Message:
    """`wait`: how many takings of other messages it stays behind."""

    number: int
    delivery: Delivery
    expires_at: float | None = None
    wait: int = 0
    token: int | None = None


@dataclass(slots=True)
class Line:
    """One queue: its messages, in their order, taken ones included."""

    max_length: int
    delivery_limit: int | None
    messages: list[Message] = field(default_factory=list)
    bound: set[tuple[str, str]] = field(default_factory=set)


class Memory:
    """`woken`: what to call when there may be something to take."""

    def __init__(self, faults: Faults, clock: Callable[[], float]) -> None:
        self.faults, self.clock = faults, clock
        self.lines: dict[str, Line] = {}
        self.woken: list[Callable[[], None]] = []
        self._numbers = itertools.count(1)

    def declare(self, topology: Topology) -> None:
        """Raises TopologyDiffers before it changes anything."""
        for queue in topology.queues:
            self._check(queue)
        for queue in topology.queues:
            self.lines.setdefault(queue.dead, Line(queue.max_length, None))
            line = self.lines.setdefault(queue.name, Line(queue.max_length, queue.delivery_limit))
            line.bound |= _bindings(queue)

    def _check(self, queue: Queue) -> None:
        line = self.lines.get(queue.name)
        if line and (line.max_length, line.delivery_limit) != (queue.max_length, queue.delivery_limit):
            raise TopologyDiffers(
                f"queue {queue.name} exists with max_length {line.max_length} and delivery_limit {line.delivery_limit};"
                f" wanted {queue.max_length} and {queue.delivery_limit}"
            )
        if line and line.bound - _bindings(queue):
            raise TopologyDiffers(f"queue {queue.name} is also bound elsewhere: add that to the topology")

    def line(self, queue: str) -> Line:
        """Raises TopologyDiffers."""
        if queue not in self.lines:
            raise TopologyDiffers(f"there is no queue {queue}: declare the topology first")
        return self.lines[queue]

    def put(self, exchange: str, key: str, delivery: Delivery, expires_at: float | None) -> None:
        """Into every queue that is bound, or none. Raises Unroutable, PublishRefused, BrokerUnavailable."""
        faults = self.faults.drawn()
        if Fault.UNAVAILABLE in faults:
            raise BrokerUnavailable("a fault on demand")
        bound = [name for name, line in self.lines.items() if (exchange, key) in line.bound]
        if not bound:
            raise Unroutable(f"no queue is bound in {exchange} for {key}")
        if Fault.REFUSE in faults or any(self._is_full(name) for name in bound):
            raise PublishRefused("a queue is full")
        for name in bound:
            self._add(name, delivery, expires_at, faults)
        self.wake()
        if Fault.UNCONFIRMED in faults:
            raise BrokerUnavailable("a fault on demand: not confirmed")

    def _is_full(self, queue: str) -> bool:
        return len(self.lines[queue].messages) >= self.lines[queue].max_length

    def _add(self, queue: str, delivery: Delivery, expires_at: float | None, faults: frozenset[Fault]) -> None:
        messages, chance = self.lines[queue].messages, self.faults.random
        copies = 0 if Fault.DROP in faults else 2 if Fault.DUPLICATE in faults else 1
        for _ in range(copies):
            wait = chance.randint(1, _LONGEST_DELAY) if Fault.DELAY in faults else 0
            at = chance.randint(0, len(messages)) if Fault.REORDER in faults else len(messages)
            messages.insert(at, Message(next(self._numbers), replace(delivery, queue=queue), expires_at, wait))

    def ready(self, queue: str) -> list[Message]:
        """In the order in which they would be taken; delayed ones only when there is nothing else."""
        line, now = self.line(queue), self.clock()
        line.messages[:] = [one for one in line.messages if one.expires_at is None or one.expires_at > now]
        free = [one for one in line.messages if one.token is None]
        return [one for one in free if not one.wait] or free

    def take(self, queue: str, at_most: int) -> list[LeasedMessage]:
        """Raises TopologyDiffers."""
        return [self.take_one(queue, message) for message in self.ready(queue)[:at_most]]

    def take_one(self, queue: str, message: Message) -> LeasedMessage:
        """One that is ready."""
        message.token, message.wait = next(self._numbers), 0
        for other in self.lines[queue].messages:
            other.wait = max(0, other.wait - 1)
        return LeasedMessage(message.number, message.token, message.delivery)

    def acknowledge(self, taken: LeasedMessage) -> None:
        """Without effect where it was given back meanwhile."""
        line = self.lines.get(taken.delivery.queue)
        if line is not None:
            line.messages[:] = [one for one in line.messages if one.token != taken.token]

    def give_back(self, taken: LeasedMessage, *, failed: bool) -> None:
        """At its old place, or among the dead letters."""
        line = self.lines.get(taken.delivery.queue)
        for message in [one for one in line.messages if one.token == taken.token] if line else []:
            message.token = None
            if failed and line is not None:
                message.delivery = replace(message.delivery, count=message.delivery.count + 1)
                self._bury_above_limit(line, message)
        self.wake()

    def _bury_above_limit(self, line: Line, message: Message) -> None:
        dead = f"{message.delivery.queue}.dead"
        if line.delivery_limit is None or message.delivery.count <= line.delivery_limit or self._is_full(dead):
            return
        line.messages.remove(message)
        died = replace(message.delivery, queue=dead, count=0, died=f"delivery_limit in {message.delivery.queue}")
        self.lines[dead].messages.append(replace(message, delivery=died))

    def wake(self) -> None:
        for wake in [*self.woken]:
            wake()


def _bindings(queue: Queue) -> set[tuple[str, str]]:
    return {(queue.exchange, routing_key) for routing_key in queue.types}
