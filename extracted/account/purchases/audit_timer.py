"""Runs the audit on a timer, and reports the status that operators watch."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import structlog

from chassis.outbox.consumer import Consumer
from chassis.outbox.relay import OutboxRelay
from chassis.store import StoreUnavailable
from extracted.account.purchases.operator_ports import Audit
from extracted.account.purchases.service.operations import PurchaseOperations

log = structlog.get_logger("account.auditing")

EVERY_S: Final = 600.0


class AuditTimer:
    """One per process. `last`: the last audit. `consumers`: those that run now."""

    def __init__(
        self,
        operations: PurchaseOperations,
        relay: OutboxRelay,
        consumers: Sequence[Consumer],
        every_s: float = EVERY_S,
    ) -> None:
        self._operations = operations
        self._relay = relay
        self._consumers = consumers
        self._every_s = every_s
        self.last: Audit | None = None

    async def run(self) -> None:
        """Runs until it is cancelled."""
        while True:
            try:
                self.last = await self._operations.audit()
            except StoreUnavailable as error:
                log.warning("store_unavailable", reason=str(error))
            except Exception:
                log.exception("audit_failed")
            await asyncio.sleep(self._every_s)

    async def status(self) -> Mapping[str, object]:
        """Open purchases by state, messages that wait for the broker or for a store, breaches.

        Raises StoreUnavailable.
        """
        relay = await self._relay.status()
        troubles = {name: trouble.reason for name, trouble in relay.troubles.items()}
        return {
            "open": await self._operations.counts(),
            "outbox": {"unpublished": relay.unpublished, "oldestS": relay.oldest_s, "troubles": troubles},
            "consumers": [consumer.status().shown() for consumer in self._consumers],
            "breaches": None if self.last is None else len(self.last.breaches),
        }
