"""What goes on beside the requests: messages in, messages out, and the clock of open purchases."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from chassis import starting
from chassis.consumer import Consumer, consume
from chassis.database import Database
from chassis.messaging.envelope import Envelope, MessageInvalid
from chassis.messaging.port import Broker
from chassis.messaging.topology import Topology
from chassis.parked import Parked
from chassis.relay import Relay
from chassis.store import StoreUnavailable
from extracted.account import messages
from extracted.account.auditing import Auditing
from extracted.account.buying import Buying
from extracted.account.purchase import UnknownPurchase
from extracted.account.reminding import AT_ONCE, Reminding
from extracted.account.replies import GatewayReplies

log = structlog.get_logger("account.worker")

Check = Callable[[], Awaitable[None]]
LOOK_EVERY_S: Final = 1.0
GRACE_S: Final = 10.0


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
class Worker:
    """It starts whatever is away: broker, database, Shop; each is waited for. `shop_ready` raises StoreUnavailable."""

    broker: Broker
    topology: Topology
    relay: Relay
    handlers: Handlers
    shop_ready: Check
    reminding: Reminding
    auditing: Auditing
    database: Database
    parked: Parked

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Ends in order: nothing new is taken, what is under way is finished, the outbox gets what it can."""
        relay = asyncio.create_task(self.relay.run(), name="relay")
        relay.add_done_callback(_expect_no_failure)
        others = [
            asyncio.create_task(starting.declare(self.broker, self.topology), name="declare"),
            asyncio.create_task(self._remind(), name="remind"),
            asyncio.create_task(self.auditing.run(), name="audit"),
        ]
        consumers = [await self._consume(queue) for queue in (messages.PURCHASES_QUEUE, messages.DECISIONS_QUEUE)]
        try:
            yield
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, *(consumer.stop() for consumer in consumers), return_exceptions=True)
            await self.handlers.replies.aclose()
            self.relay.stop()
            await asyncio.wait([relay], timeout=GRACE_S)
            relay.cancel()

    async def _consume(self, queue: str) -> Consumer:
        if queue == messages.DECISIONS_QUEUE:
            return await consume(self.broker, queue, self.handlers.decided, self.database, self.parked)
        return await consume(self.broker, queue, self.handlers.requested, self.database, self.parked, ready=self._ready)

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


def _expect_no_failure(relay: asyncio.Task[None]) -> None:
    """Without a relay nothing that is debited would ever be sold: the process ends, to be started anew."""
    if not relay.cancelled() and (error := relay.exception()) is not None:
        log.critical("relay_ended", exc_info=error)
        os.kill(os.getpid(), signal.SIGTERM)
