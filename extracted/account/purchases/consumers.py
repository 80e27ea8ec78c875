"""What goes on beside the requests where things are sold: messages in, and the clock of open purchases."""

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
from extracted.account.purchases.replies import GatewayReplies
from extracted.account.purchases.service.buy import Buying
from extracted.account.purchases.service.saga_timeouts import AT_ONCE, Reminding

log = structlog.get_logger("account.selling")

Check = Callable[[], Awaitable[None]]
LOOK_EVERY_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Handlers:
    """One a queue: what each does in a transaction of its own."""

    buying: Buying
    replies: GatewayReplies
    clock: Callable[[], datetime]

    async def requested(self, envelope: Envelope) -> None:
        """A request to buy. Raises MessageInvalid, StoreUnavailable (then it is tried again)."""
        answered = await self.buying.request(messages.asked(envelope))
        if envelope.reply_to is not None:
            named = answered.purchase_id or envelope.id
            self.replies.send(envelope.reply_to, messages.reply(envelope, answered.outcome, named, self.clock()))

    async def decided(self, envelope: Envelope) -> None:
        """Shop's decision. Raises MessageInvalid, also for a purchase that is not known here."""
        try:
            await self.buying.settle(messages.decided(envelope))
        except UnknownPurchase as error:
            raise MessageInvalid(str(error)) from error


@dataclass(frozen=True, slots=True)
class Selling:
    """Broker, database and Shop may be away; each is waited for. `shop_ready` raises StoreUnavailable.

    `consumers`: has those that run now.
    """

    broker: Broker
    handlers: Handlers
    shop_ready: Check
    reminding: Reminding
    database: Database
    failed_messages: FailedMessages
    consumers: list[Consumer]

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ends in order: nothing new is taken, what is under way is finished."""
        remind = asyncio.create_task(self._remind(), name="remind")
        for queue in (messages.PURCHASES_QUEUE, messages.DECISIONS_QUEUE):
            self.consumers.append(await self._consume(queue))
        try:
            yield
        finally:
            remind.cancel()
            await asyncio.gather(remind, *(consumer.stop() for consumer in self.consumers), return_exceptions=True)
            await self.handlers.replies.aclose()

    async def _consume(self, queue: str) -> Consumer:
        if queue == messages.DECISIONS_QUEUE:
            return await consume(self.broker, queue, self.handlers.decided, self.database, self.failed_messages)
        return await consume(
            self.broker, queue, self.handlers.requested, self.database, self.failed_messages, ready=self._ready
        )

    async def _ready(self) -> None:
        """What a request to buy needs. Raises StoreUnavailable."""
        await self.database.ping()
        await self.shop_ready()

    async def _remind(self) -> None:
        """Looks at what is due once a second; for ever."""
        while True:
            looked = 0
            try:
                looked = await self.reminding.look()
            except StoreUnavailable as error:
                log.warning("store_unavailable", reason=str(error))
            except Exception:
                log.exception("reminding_failed")
            await asyncio.sleep(0 if looked == AT_ONCE else LOOK_EVERY_S)
