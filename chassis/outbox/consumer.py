"""The consumer of every service: it acknowledges a message when it is handled, or stored as a failed message.

If the database is unavailable, the message is held until it is back. A message that cannot be understood is stored
for a human. Any other failure: it is stored, and tried again from there. Dead letters are stored in the same table.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import timedelta

import structlog

from chassis.database.database import Database
from chassis.failpoints import reach
from chassis.messaging.envelope import Envelope, MessageInvalid, to_record
from chassis.messaging.port import Broker, Delivery, Subscription
from chassis.outbox.failed_messages.retry import FailedMessageRetry, MessageHandler, RetryPolicy
from chassis.outbox.failed_messages.table import FailedMessages
from chassis.store import StoreUnavailable
from chassis.tracing import spans

log = structlog.get_logger("chassis.outbox.consumer")
_MAX_PROPERTY = 255


async def consume(
    broker: Broker,
    queue: str,
    handler: MessageHandler,
    database: Database,
    failed_messages: FailedMessages,
    *,
    ready: Callable[[], Awaitable[None]] | None = None,
    prefetch: int = 20,
    retry_policy: RetryPolicy | None = None,
) -> "Consumer":
    """Starts a consumer, even if broker or database is unavailable. `handler` commits, and accepts repeated messages.

    `ready` raises StoreUnavailable while the handler's stores are unavailable. Default: the ping of the database.
    """
    consumer = Consumer(
        queue, handler, database, failed_messages, ready or database.ping, retry_policy or RetryPolicy()
    )
    await consumer.start(broker, prefetch)
    return consumer


@dataclass(frozen=True, slots=True)
class ConsumerStatus:
    """`held`: how many messages wait for a store; `reason`: why."""

    queue: str
    is_consuming: bool
    held: int
    reason: str | None

    def shown(self) -> dict[str, object]:
        """The status as JSON, for operators."""
        return {"queue": self.queue, "isConsuming": self.is_consuming, "held": self.held, "reason": self.reason}


class Consumer:
    """Made by `consume`. End it with `stop`."""

    def __init__(
        self,
        queue: str,
        handler: MessageHandler,
        database: Database,
        failed_messages: FailedMessages,
        ready: Callable[[], Awaitable[None]],
        retry_policy: RetryPolicy,
    ) -> None:
        self._queue = queue
        self._handler = handler
        self._database = database
        self._failed_messages = failed_messages
        self._ready = ready
        self._retry_policy = retry_policy
        self._retry = FailedMessageRetry(queue, handler, database, failed_messages, retry_policy)
        self._subscriptions: list[Subscription] = []
        self._stopping = asyncio.Event()
        self._is_paused = False
        self._returning: asyncio.Task[None] | None = None
        self._held = 0
        self._reason: str | None = None

    async def start(self, broker: Broker, prefetch: int) -> None:
        """Call it once."""
        self._retry.start()
        self._subscriptions.append(await broker.consume(self._queue, self._on_message, prefetch=prefetch))
        self._subscriptions.append(await broker.consume(f"{self._queue}.dead", self._on_dead_letter))

    async def pause(self) -> None:
        """Takes and retries nothing until `resume`."""
        self._is_paused = True
        self._retry.pause()
        await self._pause_subscriptions()

    async def resume(self) -> None:
        self._is_paused = False
        self._retry.resume()
        if self._returning is None:
            await self._resume_subscriptions()

    async def stop(self, grace_s: float = 10.0) -> None:
        """Finishes messages in progress within `grace_s`. Held messages go back to the queue."""
        self._stopping.set()
        stopping = (subscription.stop(grace_s) for subscription in self._subscriptions)
        await asyncio.gather(self._retry.stop(grace_s), *stopping)
        if self._returning is not None:
            await self._returning

    def status(self) -> ConsumerStatus:
        """The status now."""
        is_consuming = all(subscription.is_consuming for subscription in self._subscriptions)
        return ConsumerStatus(self._queue, is_consuming, self._held, self._reason if self._held else None)

    async def _on_message(self, delivery: Delivery) -> None:
        await self._holding(lambda: self._handle(delivery))
        await reach("consumer.before_ack")

    async def _on_dead_letter(self, delivery: Delivery) -> None:
        await self._holding(lambda: self._keep_failed(delivery, f"dead letter: {delivery.died or 'no reason given'}"))

    async def _handle(self, delivery: Delivery) -> None:
        try:
            await self._handle_traced(_checked(delivery.envelope()))
        except StoreUnavailable:
            raise
        except MessageInvalid as error:
            await self._keep_failed(delivery, f"not understood: {error}")
        except Exception as error:
            log.exception("handler_failed", queue=self._queue, message_id=str(delivery.properties.get("id")))
            await self._keep_failed(delivery, f"{type(error).__name__}: {error}", self._retry_policy.retry_after(1))

    async def _handle_traced(self, envelope: Envelope) -> None:
        """Messages that the handler sends carry on the trace: their parent is this span, if there is one."""
        with spans.span(f"process {self._queue}", "consumer", envelope.traceparent) as covered:
            covered.attributes.update({"messaging.destination.name": self._queue, "messaging.message.id": envelope.id})
            async with asyncio.timeout(self._retry_policy.handler_timeout_s):
                await self._handler(replace(envelope, traceparent=covered.traceparent))

    async def _keep_failed(self, delivery: Delivery, reason: str, retry_after: timedelta | None = None) -> None:
        async with self._database.write() as connection:
            id = await self._failed_messages.record(
                connection, self._queue, delivery.properties, delivery.body, reason, retry_after=retry_after
            )
        log.warning("message_parked", queue=self._queue, parked_id=id, reason=reason)

    async def _holding(self, act: Callable[[], Awaitable[None]]) -> None:
        """Repeats `act` while the store is unavailable. Raises StoreUnavailable after `hold_s`, or on `stop`."""
        try:
            await act()
        except StoreUnavailable as error:
            self._held, self._reason = self._held + 1, str(error)
            if self._held == 1:
                log.warning("store_unavailable", queue=self._queue, reason=self._reason)
            try:
                await self._hold(act, error)
            finally:
                self._held -= 1

    async def _hold(self, act: Callable[[], Awaitable[None]], unavailable: StoreUnavailable) -> None:
        until, tries = time.monotonic() + self._retry_policy.hold_s, 0
        while not self._stopping.is_set() and time.monotonic() < until:
            tries += 1
            await self._wait(self._retry_policy.hold_pause_s(tries))
            if not await self._is_ready():
                continue
            try:
                return await act()
            except StoreUnavailable as error:
                unavailable, self._reason = error, str(error)
        await self._leave_until_ready()
        raise unavailable

    async def _leave_until_ready(self) -> None:
        """Pauses before the message goes back: each redelivery counts as a failed one, and the broker limits them."""
        if self._returning is not None or self._stopping.is_set():
            return
        self._returning = asyncio.create_task(self._return_when_ready(), name=f"wait for the store of {self._queue}")
        await self._pause_subscriptions()

    async def _return_when_ready(self) -> None:
        while not self._stopping.is_set():
            await self._wait(self._retry_policy.last_hold_s)
            if await self._is_ready():
                break
        self._returning = None
        if not self._is_paused and not self._stopping.is_set():
            await self._resume_subscriptions()

    async def _is_ready(self) -> bool:
        try:
            await self._ready()
        except StoreUnavailable as error:
            self._reason = str(error)
            return False
        except Exception as error:
            log.exception("readiness_failed", queue=self._queue)
            self._reason = f"{type(error).__name__}: {error}"
            return False
        return True

    async def _pause_subscriptions(self) -> None:
        for subscription in self._subscriptions:
            await subscription.pause()

    async def _resume_subscriptions(self) -> None:
        for subscription in self._subscriptions:
            await subscription.resume()

    async def _wait(self, seconds: float) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), seconds)


def _checked(envelope: Envelope) -> Envelope:
    """Checks that all properties are short text, since they are stored. Raises MessageInvalid."""
    wrong = [name for name, value in to_record(envelope).items() if value and not _is_short_text(value)]
    if wrong:
        raise MessageInvalid(f"the properties {wrong} must be text of at most {_MAX_PROPERTY} characters")
    return envelope


def _is_short_text(value: str) -> bool:
    return len(value) <= _MAX_PROPERTY and value.isprintable()
