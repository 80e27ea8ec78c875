"""What operators do with purchases: list, resume, cancel, refund a double charge; and the audit of the books."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from extracted.account.purchases.domain.purchase import CHARGED_TWICE, LedgerEntry, Purchase
from extracted.account.purchases.domain.saga import (
    DEFAULT_TIMEOUTS,
    PurchaseEvent,
    PurchaseState,
    TimeoutSettings,
    transition,
)
from extracted.account.purchases.operator_ports import (
    Audit,
    Intervention,
    InterventionReason,
    InterventionRefused,
    OperatorStore,
    PurchaseFilter,
    Timeline,
)
from extracted.account.purchases.service.saga_timeouts import send_command

log = structlog.get_logger("account.operations")

OPEN_TOO_LONG: Final = timedelta(minutes=10)
MOST_BREACHES: Final = 1000


@dataclass(frozen=True, slots=True)
class PurchaseOperations:
    """Logs each change and stores it with its reason."""

    store: OperatorStore
    clock: Callable[[], datetime]
    timeouts: TimeoutSettings = DEFAULT_TIMEOUTS

    async def listed(self, selection: PurchaseFilter) -> Sequence[Purchase]:
        """One page, the oldest first."""
        async with self.store.read() as reader:
            return await reader.listed(selection)

    async def counts(self) -> dict[PurchaseState, int]:
        """Open purchases by state."""
        async with self.store.read() as reader:
            return await reader.counts()

    async def oldest_open_s(self) -> float:
        """The age of the oldest open purchase; 0: none is open."""
        async with self.store.read() as reader:
            since = await reader.oldest_open()
        return 0.0 if since is None else max(0.0, (self.clock() - since).total_seconds())

    async def timeline(self, purchase_id: str) -> Timeline | None:
        """None: there is no such purchase."""
        async with self.store.read() as reader:
            purchase = await reader.find(purchase_id)
            if purchase is None:
                return None
            ledger, done = await reader.ledger_of(purchase_id), await reader.interventions_of(purchase_id)
        return Timeline(purchase, ledger, done)

    async def resume(self, purchase_id: str, reason: InterventionReason) -> Purchase | None:
        """Sends Shop the next command now. None: no such purchase. Raises InterventionRefused."""
        return await self._ask(purchase_id, PurchaseEvent.RESUMED, reason)

    async def cancel(self, purchase_id: str, reason: InterventionReason) -> Purchase | None:
        """Asks Shop to cancel; if Shop has sold already, the purchase completes. Raises InterventionRefused."""
        return await self._ask(purchase_id, PurchaseEvent.GIVEN_UP, reason)

    async def refund(self, purchase_id: str, reason: InterventionReason) -> Purchase | None:
        """Gives the price back if the monolith charged for the item, too; the purchase keeps its state.

        None: no such purchase. Raises InterventionRefused.
        """
        now = self.clock()
        async with self.store.write() as change:
            purchase = await change.find(purchase_id)
            if purchase is None:
                return None
            if transition(purchase.state, PurchaseEvent.CHARGED_TWICE) is None or not await change.is_charged_twice(
                purchase_id
            ):
                raise InterventionRefused(
                    "there are not two live rows of this user and item, or it was refunded already"
                )
            balance = await change.credit(purchase.user_id, purchase.price)
            await change.record(LedgerEntry(purchase.id, CHARGED_TWICE, purchase.price, balance, now))
            await change.intervene(_done(purchase, PurchaseEvent.CHARGED_TWICE, reason, now))
        log.warning("purchase_refunded", purchase_id=purchase.id, price=purchase.price, by=reason.by, why=reason.why)
        return purchase

    async def audit(self) -> Audit:
        """Checks the books of one moment and logs breaches as errors."""
        now = self.clock()
        async with self.store.read() as reader:
            breaches = await reader.breaches(now - OPEN_TOO_LONG, MOST_BREACHES)
        for breach in breaches[:20]:
            log.error("audit_breach", kind=breach.kind, purchase_id=breach.purchase_id)
        return Audit(now, breaches)

    async def _ask(self, purchase_id: str, event: PurchaseEvent, reason: InterventionReason) -> Purchase | None:
        now = self.clock()
        async with self.store.write() as change:
            purchase = await change.find(purchase_id)
            if purchase is None:
                return None
            found = transition(purchase.state, event)
            first = purchase.first_confirmed_at
            if found is None or not await send_command(change, purchase, found, self.timeouts, now, first):
                raise InterventionRefused(f"the purchase is {purchase.state}: it cannot be {event.replace('_', ' ')}")
            await change.intervene(_done(purchase, event, reason, now))
            purchase = await change.find(purchase_id)
        self.store.sent()
        log.warning(f"purchase_{event}", purchase_id=purchase_id, by=reason.by, why=reason.why)
        return purchase


def _done(purchase: Purchase, event: PurchaseEvent, reason: InterventionReason, at: datetime) -> Intervention:
    return Intervention(purchase.id, event, reason.why, at, reason.by)
