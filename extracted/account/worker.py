"""What goes on beside the requests where there is a broker: messages out, and the audit."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import structlog

from chassis import starting
from chassis.messaging.port import Broker
from chassis.messaging.topology import Topology
from chassis.relay import Relay
from extracted.account.auditing import Auditing

log = structlog.get_logger("account.worker")

GRACE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Worker:
    """It starts whatever is away: broker, database; each is waited for. `topology`: the queues that are its own."""

    broker: Broker
    topology: Topology
    relay: Relay
    auditing: Auditing

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """At the end the outbox gets what it can; who still writes into it has to end before."""
        relay = asyncio.create_task(self.relay.run(), name="relay")
        relay.add_done_callback(_expect_no_failure)
        others = [
            asyncio.create_task(starting.declare(self.broker, self.topology), name="declare"),
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


def _expect_no_failure(relay: asyncio.Task[None]) -> None:
    """Without a relay nothing that is debited would ever be sold, and no mail sent: the process ends, to start anew."""
    if not relay.cancelled() and (error := relay.exception()) is not None:
        log.critical("relay_ended", exc_info=error)
        os.kill(os.getpid(), signal.SIGTERM)
