"""Applies Shop's decisions: those that come together share a transaction."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from chassis.failpoints import reach
from extracted.account.purchases.domain.purchase import REFUND, LedgerEntry, Purchase, UnknownPurchase
from extracted.account.purchases.domain.saga import TRANSITIONS, Effect, PurchaseEvent, PurchaseState
from extracted.account.purchases.messages import ShopDecision
from extracted.account.purchases.ports import PurchaseStore, PurchaseUnitOfWork
from extracted.account.purchases.settlement_waiters import SettlementWaiters


@dataclass(frozen=True, slots=True)
class DecisionWriter:
    """`clock` in UTC."""

    store: PurchaseStore
    clock: Callable[[], datetime]
    waiters: SettlementWaiters

    async def write(self, decisions: Sequence[ShopDecision]) -> Sequence[None]:
        """Applies decisions about different purchases in one transaction. Raises UnknownPurchase."""
        settled: list[Purchase] = []
        async with self.store.write(is_shared=len(decisions) > 1) as unit:
            for event in {decision.event: None for decision in decisions}:
                settled += await self._settle(unit, event, [one for one in decisions if one.event is event])
            await _expect_known(unit, {one.purchase_id for one in decisions} - {one.id for one in settled})
            await reach("account.before_settle_commit")
        for purchase in settled:
            self.waiters.settled(purchase)
        await reach("account.settled")
        return [None] * len(decisions)

    async def _settle(
        self, unit: PurchaseUnitOfWork, event: PurchaseEvent, decisions: Sequence[ShopDecision]
    ) -> Sequence[Purchase]:
        to, now = TRANSITIONS[PurchaseState.DEBITED, event], self.clock()
        settled = await unit.settle(event, to.next, {one.purchase_id: one.reason for one in decisions}, now)
        if Effect.REFUND in to.effects:
            for purchase in settled:
                balance = await unit.credit(purchase.user_id, purchase.price)
                await unit.record(LedgerEntry(purchase.id, REFUND, purchase.price, balance, now))
                await reach("account.before_refund_commit")
        return settled


async def _expect_known(unit: PurchaseUnitOfWork, unsettled: set[str]) -> None:
    """A repeated or late decision changes nothing."""
    for purchase_id in unsettled:
        if await unit.find(purchase_id) is None:
            raise UnknownPurchase("Shop decided about a purchase that does not exist here")
