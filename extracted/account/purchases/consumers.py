"""What runs beside the requests where things are sold: incoming messages, and time-outs of open purchases."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from chassis.database.database import Database
from chassis.messaging.envelope import Envelope, MessageInvalid
from chassis.messaging.port import Broker
from chassis.outbox.consumer import Consumer, consume
from chassis.outbox.failed_messages.table import FailedMessages
from chassis.store import StoreUnavailable
from extracted.account.purchases import messages
from extracted.account.purchases.domain.purchase import UnknownPurchase
from extracted.account.purchases.service.buy import PurchaseService
from extracted.account.purchases.service.saga_timeouts import MOST_PER_CHECK, SagaTimeouts
from extracted.account.replies import ReplySender

log = structlog.get_logger("account.selling")

Check = Callable[[], Awaitable[None]]
CHECK_EVERY_S: Final = 1.0
PREFETCH: Final = 50
"""Messages of a queue that are handled at once; those of one moment share a transaction."""


@dataclass(frozen=True, slots=True)
class MessageHandlers:
    """Handles the messages of each queue in a transaction of its own."""

    purchases: PurchaseService
    replies: ReplySender
    clock: Callable[[], datetime]

    async def requested(self, envelope: Envelope) -> None:
        """Takes a request to buy. Raises MessageInvalid, or StoreUnavailable, which makes it come again."""
        result = await self.purchases.buy(messages.purchase_request(envelope))
        if envelope.reply_to is not None:
            named = result.purchase_id or envelope.id
            self.replies.send(envelope.reply_to, messages.reply(envelope, result.outcome, named, self.clock()))

    async def decided(self, envelope: Envelope) -> None:
        """Takes Shop's decision. Raises MessageInvalid, also for an unknown purchase."""
        try:
            await self.purchases.settle(messages.shop_decision(envelope))
        except UnknownPurchase as error:
            raise MessageInvalid(str(error)) from error


@dataclass(frozen=True, slots=True)
class PurchaseConsumers:
    """Waits for broker, database and Shop if they are away. `shop_ready` raises StoreUnavailable.

    `consumers`: a list that holds those that run now.
    """

    broker: Broker
    handlers: MessageHandlers
    shop_ready: Check
    saga_timeouts: SagaTimeouts
    database: Database
    failed_messages: FailedMessages
    consumers: list[Consumer]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At the end it takes nothing new and finishes what is under way."""
        timeouts = asyncio.create_task(self._check_timeouts(), name="timeouts")
        for queue in (messages.PURCHASES_QUEUE, messages.DECISIONS_QUEUE):
            self.consumers.append(await self._consume(queue))
        try:
            yield
        finally:
            timeouts.cancel()
            await asyncio.gather(timeouts, *(consumer.stop() for consumer in self.consumers), return_exceptions=True)
            await self.handlers.replies.aclose()

    async def _consume(self, queue: str) -> Consumer:
        is_request = queue == messages.PURCHASES_QUEUE
        return await consume(
            self.broker,
            queue,
            self.handlers.requested if is_request else self.handlers.decided,
            self.database,
            self.failed_messages,
            ready=self._ready if is_request else None,
            prefetch=PREFETCH,
        )

    async def _ready(self) -> None:
        """Returns if database and Shop can serve a request to buy. Raises StoreUnavailable."""
        await self.database.ping()
        await self.shop_ready()

    async def _check_timeouts(self) -> None:
        """Checks what is due once a second, for ever."""
        while True:
            checked = 0
            try:
                checked = await self.saga_timeouts.check_due()
            except StoreUnavailable as error:
                log.warning("store_unavailable", reason=str(error))
            except Exception:
                log.exception("reminding_failed")
            await asyncio.sleep(0 if checked == MOST_PER_CHECK else CHECK_EVERY_S)
