"""What goes on beside the requests where there is a broker: messages out, and the audit."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from chassis.messaging.port import Broker
from chassis.messaging.topology import Topology
from chassis.outbox.relay import OutboxRelay
from chassis.service import startup
from extracted.account.purchases.auditing import Auditing

GRACE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Worker:
    """It starts whatever is away: broker, database; each is waited for. `topology`: the queues that are its own."""

    broker: Broker
    topology: Topology
    relay: OutboxRelay
    auditing: Auditing

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At the end the outbox gets what it can; who still writes into it has to end before."""
        relay = asyncio.create_task(self.relay.run(), name="relay")
        relay.add_done_callback(startup.expect_no_failure)
        others = [
            asyncio.create_task(startup.declare(self.broker, self.topology), name="declare"),
            asyncio.create_task(self.auditing.run(), name="audit"),
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
