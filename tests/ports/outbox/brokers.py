"""A publisher as the tests want it: takes, refuses or hangs, by destination; remembers what it took."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from chassis.messaging.envelope import Envelope
from chassis.outbox.relay import OutboxRelay

DEADLINE_S = 60


class Taking:
    """Implements Publisher. `faults`: exchange → what publishing there raises, or None to hang."""

    def __init__(self) -> None:
        self.taken: list[Envelope] = []
        self.asked = 0
        self.under_way = 0
        self.most_under_way = 0
        self.faults: dict[str, BaseException | None] = {}

    async def publish(
        self,
        exchange: str,
        envelope: Envelope,
        *,
        routing_key: str | None = None,
        persistent: bool = True,
        expires_s: float | None = None,
        timeout_s: float = 5.0,
    ) -> None:
        assert persistent
        assert routing_key is None
        self.asked += 1
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self._publish(exchange, envelope)
        finally:
            self.under_way -= 1

    async def _publish(self, exchange: str, envelope: Envelope) -> None:
        await asyncio.sleep(0)
        fault = self.faults.get(exchange, self)
        if fault is None:
            await asyncio.Event().wait()
        if isinstance(fault, BaseException):
            raise fault
        self.taken.append(envelope)

    def ids(self) -> list[str]:
        return [envelope.id for envelope in self.taken]


async def until(condition: Callable[[], bool | Awaitable[bool]]) -> None:
    """Waits for it, at most `DEADLINE_S`."""
    async with asyncio.timeout(DEADLINE_S):
        while True:
            holds = condition()
            if holds if isinstance(holds, bool) else await holds:
                return
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(relay: OutboxRelay) -> AsyncIterator[OutboxRelay]:
    """Stopped as a service stops it."""
    task = asyncio.create_task(relay.run())
    yield relay
    relay.stop()
    async with asyncio.timeout(DEADLINE_S):
        await task
