"""The port that every broker implements, its values and its errors."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from chassis.messaging.envelope import Envelope, from_record
from chassis.messaging.topology import Topology


class MessagingError(Exception):
    """The root: a broker did not do what was asked."""


class BrokerUnavailable(MessagingError):
    """No connection, or it was lost, or it did not confirm in time: the message may be there, or not. Safe to repeat
    under the same message id."""


class Unroutable(MessagingError):
    """No queue takes the message (`mandatory`): it is nowhere."""


class PublishRefused(MessagingError):
    """The broker answered no: a queue is full, or the user may not."""


class TopologyDiffers(MessagingError):
    """What exists at the broker is not what was wanted; one sentence says what, and what to do."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a consumer is handed. `properties` and `body` as received, whatever they are.

    `count`: how often it was delivered before, as far as the broker tells. `died`: why it was dead-lettered.
    """

    queue: str
    properties: Mapping[str, object]
    body: bytes
    count: int = 0
    died: str | None = None

    def envelope(self) -> Envelope:
        """Raises MessageInvalid."""
        return from_record(self.properties, self.body)


Handler = Callable[[Delivery], Awaitable[None]]
"""Returns after its commit: then the message is acknowledged. Where it raises, the message goes back to the queue
(basic.reject with requeue) and counts against the delivery limit."""


class Subscription(Protocol):
    """A running consumer of one queue, restored by itself when the broker was away."""

    @property
    def is_consuming(self) -> bool:
        """The broker knows us as a consumer now."""
        ...

    async def pause(self) -> None:
        """No new deliveries until `resume`; those under way finish."""
        ...

    async def resume(self) -> None: ...

    async def stop(self, grace_s: float = 10.0) -> None:
        """Cancels, finishes what is under way (at most `grace_s`), acknowledges it; the rest goes back."""
        ...


class Publisher(Protocol):
    """What publishes."""

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
        """Mandatory; returns when the broker has confirmed. `routing_key`: the type unless given.

        Raises BrokerUnavailable, Unroutable, PublishRefused, MessageInvalid.
        """
        ...


class Broker(Publisher, Protocol):
    """A connection to one broker; opened by use, it may be away at first. `handler`s run at most `prefetch` at once."""

    async def declare(self, topology: Topology) -> None:
        """Makes what is missing; idempotent. Raises TopologyDiffers, BrokerUnavailable."""
        ...

    async def consume(self, queue: str, handler: Handler, *, prefetch: int = 20) -> Subscription:
        """Returns at once, also while the broker is away."""
        ...

    async def replies(self, exchange: str, handler: Handler) -> str:
        """An exclusive queue of this connection, bound in `exchange` (made where missing) under the key returned.

        Nothing is acknowledged there: what is not handled is lost. The key stays the same over reconnections.
        """
        ...

    async def depth(self, queue: str) -> int:
        """Messages ready in it. Raises BrokerUnavailable, TopologyDiffers where there is none."""
        ...

    async def ping(self) -> None:
        """Raises BrokerUnavailable."""
        ...

    async def aclose(self) -> None:
        """Stops subscriptions, closes connections."""
        ...
