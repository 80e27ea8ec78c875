"""What runs beside the requests: the outbox's relay, and the loop that finishes what a crash has left."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from chassis.messaging.port import Broker
from chassis.outbox.relay import OutboxRelay
from chassis.service import startup
from chassis.service.operators_status import QueueStatus
from chassis.service.operators_status_api import outbox_queues
from chassis.store import StoreUnavailable
from extracted.learning.rewards.payments import PaymentReplies
from extracted.learning.rewards.service import RewardService

log = structlog.get_logger("learning.rewards")

EVERY_S: Final = 5.0
GRACE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class RewardWorker:
    """Starts even if broker, database or documents are away, and waits for them."""

    broker: Broker
    relay: OutboxRelay
    rewards: RewardService
    payments: PaymentReplies

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At the end the relay sends what it can."""
        relay = asyncio.create_task(self.relay.run(), name="relay")
        relay.add_done_callback(startup.expect_no_failure)
        listening = asyncio.create_task(self.payments.listen(), name="listen for payments")
        recovering = asyncio.create_task(self._recover(), name="recover rewards")
        try:
            yield
        finally:
            for task in (recovering, listening):
                task.cancel()
            await asyncio.gather(recovering, listening, return_exceptions=True)
            self.relay.stop()
            await asyncio.wait([relay], timeout=GRACE_S)
            relay.cancel()
            await self.broker.aclose()

    async def _recover(self) -> None:
        """At the start and then again and again, for ever."""
        while True:
            try:
                await self.rewards.recover()
            except StoreUnavailable as error:
                log.warning("store_unavailable", reason=str(error))
            except Exception:
                log.exception("recovery_failed")
            await asyncio.sleep(EVERY_S)

    async def status(self) -> Mapping[str, object]:
        """The outbox, as JSON; its keys are destinations: exchange, blank, type. Raises StoreUnavailable."""
        now = await self.relay.status()
        troubles = {name: trouble.reason for name, trouble in now.troubles.items()}
        return {"outbox": {"unpublished": now.unpublished, "oldestS": now.oldest_s, "troubles": troubles}}

    async def queues(self) -> Sequence[QueueStatus]:
        """The outbox, for the gateway's page. Raises StoreUnavailable."""
        return outbox_queues(await self.relay.status())
