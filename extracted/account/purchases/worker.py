"""What runs beside the requests with a broker: the outbox's relay and the audit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from chassis.messaging.port import Broker
from chassis.messaging.topology import Topology
from chassis.outbox.relay import OutboxRelay
from chassis.service import startup
from extracted.account.purchases.audit_timer import AuditTimer

GRACE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class AccountWorker:
    """Starts even if broker or database are away, and waits for them. `topology`: Account's own queues."""

    broker: Broker
    topology: Topology
    relay: OutboxRelay
    audit_timer: AuditTimer

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At the end the relay sends what it can. Whoever writes into the outbox must end before."""
        relay = asyncio.create_task(self.relay.run(), name="relay")
        relay.add_done_callback(startup.expect_no_failure)
        others = [
            asyncio.create_task(startup.declare(self.broker, self.topology), name="declare"),
            asyncio.create_task(self.audit_timer.run(), name="audit"),
        ]
        try:
            yield
        finally:
            for task in others:
                task.cancel()
            await asyncio.gather(*others, return_exceptions=True)
            self.relay.stop()
            await asyncio.wait([relay], timeout=GRACE_S)
            relay.cancel()
