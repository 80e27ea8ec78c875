"""The monolith's own call, POST /item/buy/{id}: the same use case as for a message, and it waits for the outcome."""

from dataclasses import dataclass

import structlog

from chassis.messaging.envelope import new_id
from extracted.account.purchases.domain.purchase import FailureReason, Item, Purchase, PurchaseRequest, RequestOutcome
from extracted.account.purchases.domain.saga import PurchaseState
from extracted.account.purchases.service.buy import OutboxStale, PurchaseService

log = structlog.get_logger("account.calling")

WITHIN_S = 10.0
_REFUNDED = {
    FailureReason.OUT_OF_STOCK: RequestOutcome.INSUFFICIENT_POINTS,  # the only one that the monolith's client handles
    FailureReason.USER_DELETED: RequestOutcome.USER_DELETED,
}


@dataclass(frozen=True, slots=True)
class BuyNow:
    """`within_s`: how long it waits for an outcome after the debit; the purchase goes on without the caller."""

    purchases: PurchaseService
    within_s: float = WITHIN_S

    async def buy(self, user_id: str, item_id: str, traceparent: str | None = None) -> Item | RequestOutcome:
        """The item if the user owns it afterwards, else why not. Raises StoreUnavailable."""
        try:
            wanted = PurchaseRequest(new_id(), user_id, item_id, traceparent=traceparent)
            result = await self.purchases.buy(wanted, refuse_stale=True)
        except OutboxStale as error:
            log.error("outbox_stale", reason=str(error))
            return RequestOutcome.UNAVAILABLE
        if result.outcome is RequestOutcome.ALREADY_OWNED and result.offer is not None:
            return result.offer.item
        if result.outcome is not RequestOutcome.ACCEPTED or result.purchase_id is None:
            return result.outcome
        return _settled(await self.purchases.waiters.outcome(result.purchase_id, self._find, self.within_s))

    async def _find(self, purchase_id: str) -> Purchase | None:
        async with self.purchases.store.look() as reader:
            return await reader.find(purchase_id)


def _settled(purchase: Purchase | None) -> Item | RequestOutcome:
    if purchase is None:
        return RequestOutcome.UNAVAILABLE
    if purchase.state is PurchaseState.COMPLETED or purchase.reason is FailureReason.ALREADY_OWNED:
        return purchase.item
    return _REFUNDED.get(purchase.reason, RequestOutcome.FAILED) if purchase.reason else RequestOutcome.FAILED
