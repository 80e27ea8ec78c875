"""The port that every broker implements, with its values and errors."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from chassis.messaging.envelope import Envelope, from_record
from chassis.messaging.topology import Topology


class MessagingError(Exception):
    """The broker did not do what was asked."""


class BrokerUnavailable(MessagingError):
    """No connection, a lost connection, or no confirm in time. The broker may have the message or not.
    Publishing it again under the same id is safe."""


class Unroutable(MessagingError):
    """No queue is bound for the message (`mandatory`): the broker does not have it."""


class PublishRefused(MessagingError):
    """The broker refused: a queue is full, or the user lacks permission."""


class TopologyDiffers(MessagingError):
    """What exists at the broker differs from the topology. One sentence says what differs and what to do."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a consumer receives. `properties` and `body` are unchecked.

    `count`: how often it was delivered before, if the broker says so. `died`: why it was dead-lettered.
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
"""Returns after its commit; then the message is acknowledged. If it raises, the message returns to the queue
(basic.reject with requeue), and this counts against the delivery limit."""


class Subscription(Protocol):
    """A running consumer of one queue. It restores itself when the broker comes back."""

    @property
    def is_consuming(self) -> bool:
        """Whether the broker currently has this consumer."""
        ...

    async def pause(self) -> None:
        """Stops new deliveries until `resume`; those under way finish."""
        ...

    async def resume(self) -> None: ...

    async def stop(self, grace_s: float = 10.0) -> None:
        """Cancels the consumer, waits up to `grace_s` for what is under way, acknowledges it, returns the rest."""
        ...


class Publisher(Protocol):
    """The publishing half of a broker."""

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
        """Mandatory; returns when the broker has confirmed. The default `routing_key` is the type.

        Raises BrokerUnavailable, Unroutable, PublishRefused, MessageInvalid.
        """
        ...


class Broker(Publisher, Protocol):
    """A connection to one broker, opened by the first use; the broker may be away then."""

    async def declare(self, topology: Topology) -> None:
        """Creates what is missing; idempotent. Raises TopologyDiffers, BrokerUnavailable."""
        ...

    async def consume(self, queue: str, handler: Handler, *, prefetch: int = 20) -> Subscription:
        """Returns at once, even while the broker is away. At most `prefetch` handlers run at the same time."""
        ...

    async def replies(self, exchange: str, handler: Handler) -> str:
        """Creates an exclusive queue, bound in `exchange` (created if missing) under the key that this returns.

        Its messages are not acknowledged, so one that is not handled is lost. The key survives reconnections.
        """
        ...

    async def depth(self, queue: str) -> int:
        """The number of ready messages. Raises BrokerUnavailable, TopologyDiffers if the queue is missing."""
        ...

    async def ping(self) -> None:
        """Raises BrokerUnavailable."""
        ...

    async def aclose(self) -> None:
        """Stops the subscriptions and closes the connections."""
        ...
