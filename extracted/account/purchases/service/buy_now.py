"""The monolith's own call, POST /item/buy/{id}: the same use case as a message's, with the outcome waited for."""

from dataclasses import dataclass

import structlog

from chassis.messaging.envelope import new_id
from extracted.account.purchases.domain.purchase import Asked, Item, Outcome, Purchase, Reason
from extracted.account.purchases.domain.saga import State
from extracted.account.purchases.service.buy import Buying, OutboxStale

log = structlog.get_logger("account.calling")

WITHIN_S = 10.0
_REFUNDED = {
    Reason.OUT_OF_STOCK: Outcome.INSUFFICIENT_POINTS,  # the only refusal that the monolith's client handles
    Reason.USER_DELETED: Outcome.USER_DELETED,
}


@dataclass(frozen=True, slots=True)
class Calling:
    """`within_s`: how long an outcome is waited for after the debit; the purchase goes on without the caller."""

    buying: Buying
    within_s: float = WITHIN_S

    async def buy(self, user_id: str, item_id: str) -> Item | Outcome:
        """The item, however it came to be owned, or why not. Raises StoreUnavailable."""
        try:
            answered = await self.buying.request(Asked(new_id(), user_id, item_id), refuse_stale=True)
        except OutboxStale as error:
            log.error("outbox_stale", reason=str(error))
            return Outcome.UNAVAILABLE
        if answered.outcome is Outcome.ALREADY_OWNED and answered.offer is not None:
            return answered.offer.item
        if answered.outcome is not Outcome.ACCEPTED or answered.purchase_id is None:
            return answered.outcome
        return _came_to(await self.buying.waiting.outcome(answered.purchase_id, self._find, self.within_s))

    async def _find(self, purchase_id: str) -> Purchase | None:
        async with self.buying.store.look() as reader:
            return await reader.find(purchase_id)


def _came_to(purchase: Purchase | None) -> Item | Outcome:
    if purchase is None:
        return Outcome.UNAVAILABLE
    if purchase.state is State.COMPLETED or purchase.reason is Reason.ALREADY_OWNED:
        return purchase.item
    return _REFUNDED.get(purchase.reason, Outcome.FAILED) if purchase.reason else Outcome.FAILED
