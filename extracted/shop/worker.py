"""The shop's background tasks: it handles Account's commands and sends its decisions."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

from chassis.database.database import Database
from chassis.messaging.envelope import Envelope
from chassis.messaging.port import Broker
from chassis.messaging.topology import Topology
from chassis.outbox import relay
from chassis.outbox.consumer import Consumer, consume
from chassis.outbox.failed_messages.stored import StoredFailedMessages
from chassis.outbox.failed_messages.table import FailedMessages
from chassis.outbox.relay import OutboxRelay
from chassis.service import startup
from chassis.service.operators_status import QueueStatus
from chassis.service.operators_status_api import failed_message_queues, outbox_queues
from extracted.shop.messages import COMMANDS, to_command
from extracted.shop.service import Sales

GRACE_S: Final = 10.0
PREFETCH: Final = 50
"""Commands that are handled at once; those of one moment share a transaction."""


@dataclass(slots=True)
class ShopWorker:
    """Starts even if broker or database is away, and waits for them. `topology`: the shop's own queues."""

    broker: Broker
    topology: Topology
    relay: OutboxRelay
    sales: Sales
    database: Database
    failed_messages: FailedMessages
    consumer: Consumer | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Stops in order: takes no new message, finishes what is under way, then sends what is in the outbox."""
        sending = asyncio.create_task(self.relay.run(), name="relay")
        sending.add_done_callback(startup.expect_no_failure)
        declaring = asyncio.create_task(startup.declare(self.broker, self.topology), name="declare")
        self.consumer = consumer = await consume(
            self.broker, COMMANDS, self.handle, self.database, self.failed_messages, prefetch=PREFETCH
        )
        try:
            yield
        finally:
            declaring.cancel()
            await asyncio.gather(declaring, consumer.stop(GRACE_S), return_exceptions=True)
            self.relay.stop()
            with suppress(TimeoutError):
                await asyncio.wait_for(sending, GRACE_S)
            await self.broker.aclose()

    async def handle(self, envelope: Envelope) -> None:
        """Handles one command in a transaction of its own. Raises MessageInvalid, StoreUnavailable."""
        await self.sales.decide(to_command(envelope))

    def held(self) -> int:
        """How many messages wait for a store."""
        return 0 if self.consumer is None else self.consumer.status().held

    async def status(self) -> Mapping[str, object]:
        """The state of consumer and outbox, as JSON. Raises StoreUnavailable."""
        consumer = self.consumer and self.consumer.status().shown()
        return {"consumer": consumer, "outbox": _sending(await self.relay.status())}

    async def queues(self) -> Sequence[QueueStatus]:
        """The outbox and the messages that have failed. Raises StoreUnavailable."""
        failed = StoredFailedMessages(self.database, self.failed_messages)
        return [*outbox_queues(await self.relay.status()), *await failed_message_queues(failed)]


def _sending(now: relay.RelayStatus) -> Mapping[str, object]:
    """The keys are destinations: exchange, blank, type."""
    troubles = {name: trouble.reason for name, trouble in now.troubles.items()}
    return {"unpublished": now.unpublished, "oldestS": now.oldest_s, "troubles": troubles}
