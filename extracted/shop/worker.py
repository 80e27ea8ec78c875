"""What goes on beside the requests: Account's commands in, decisions out."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Final

import structlog

from chassis.consumer import Consumer, consume
from chassis.database import Database
from chassis.messaging.envelope import Envelope
from chassis.messaging.port import Broker, MessagingError
from chassis.messaging.topology import Topology
from chassis.parked import Parked
from chassis.relay import Relay
from extracted.shop.messages import COMMANDS, to_command
from extracted.shop.service import Sales

log = structlog.get_logger("shop.worker")

DECLARE_AGAIN_S: Final = 5.0
GRACE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Worker:
    """It starts whatever is away, broker or database; each is waited for. `topology`: the shop's own queues."""

    broker: Broker
    topology: Topology
    relay: Relay
    sales: Sales
    database: Database
    parked: Parked

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Consumer]:
        """Ends in order: nothing new is taken, what is under way is finished, then the outbox gets what it can."""
        relay = asyncio.create_task(self.relay.run(), name="relay")
        declaring = asyncio.create_task(self._declare(), name="declare")
        consumer = await consume(self.broker, COMMANDS, self.handle, self.database, self.parked)
        try:
            yield consumer
        finally:
            declaring.cancel()
            await asyncio.gather(declaring, consumer.stop(GRACE_S), return_exceptions=True)
            self.relay.stop()
            with suppress(TimeoutError):
                await asyncio.wait_for(relay, GRACE_S)
            await self.broker.aclose()

    async def handle(self, envelope: Envelope) -> None:
        """A command, in a transaction of its own. Raises MessageInvalid, StoreUnavailable."""
        await self.sales.decide(to_command(envelope))

    async def _declare(self) -> None:
        """Until it has worked: the broker may be away for now."""
        while True:
            try:
                await self.broker.declare(self.topology)
            except MessagingError as error:
                log.error("queues_not_declared", reason=str(error))
                await asyncio.sleep(DECLARE_AGAIN_S)
            else:
                return
