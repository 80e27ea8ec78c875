"""The use cases of a purchase: take a request to buy, take Shop's decision."""

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from chassis.batcher import Batcher, GatherPace
from extracted.account.purchases.domain.purchase import Offer, Purchase, PurchaseRequest, RequestOutcome
from extracted.account.purchases.domain.saga import DEFAULT_TIMEOUTS, TimeoutSettings
from extracted.account.purchases.messages import ShopDecision
from extracted.account.purchases.ports import Offers, PurchaseStore
from extracted.account.purchases.service.decisions import DecisionWriter
from extracted.account.purchases.service.orders import Order, OrderWriter, RequestResult, joined
from extracted.account.purchases.settlement_waiters import SettlementWaiters

PACE: Final = GatherPace(least_s=0.002, most_s=0.05, calls=2)
"""How long a decision waits for others under load. Orders stay together that have looked together."""
STALE_OUTBOX: Final = timedelta(seconds=2)


class OutboxStale(Exception):
    """Commands do not reach Shop, so nothing is debited for a caller who waits for the answer."""


class PurchaseService:
    """`clock` in UTC. Shop is asked over HTTP before the write transaction begins."""

    def __init__(
        self,
        store: PurchaseStore,
        offers: Offers,
        clock: Callable[[], datetime],
        waiters: SettlementWaiters,
        timeouts: TimeoutSettings = DEFAULT_TIMEOUTS,
    ) -> None:
        self.store, self.offers, self.waiters = store, offers, waiters
        orders, decisions = OrderWriter(store, clock, timeouts), DecisionWriter(store, clock, waiters)
        self._orders = Batcher(orders.write, keys=lambda order: order.keys, common=())
        self._decisions = Batcher(decisions.write, pace=PACE, keys=lambda decision: (decision.purchase_id,), common=())

    async def buy(self, wanted: PurchaseRequest, *, refuse_stale: bool = False) -> RequestResult:
        """Leads a message, or a call, to one result; if it is repeated, to the same one.

        Looks for a purchase that blocks before it asks Shop: only a later offer can show that a completed purchase has
        lost its row. An open purchase is joined without an offer: Shop may have sold or withdrawn the item already.
        Raises OfferUnavailable, OutboxStale.
        """
        blocking, age = await self._blocking(wanted, with_age=refuse_stale)
        offer = None
        if blocking is None or not blocking.is_open:
            offer = await self.offers.find(wanted.user_id, wanted.item_id)
        decided = _without_purchase(blocking, offer)
        if decided is None and age is not None and age > STALE_OUTBOX:
            raise OutboxStale(f"the oldest command waits for {age.total_seconds():.1f} s")
        if decided is not None and wanted.digest is None:
            return decided
        return replace(await self.write(Order(wanted, blocking, offer, decided)), offer=offer)

    async def _blocking(self, wanted: PurchaseRequest, *, with_age: bool) -> tuple[Purchase | None, timedelta | None]:
        """The purchase that blocks, and how long the oldest command has waited."""
        if with_age:
            async with self.store.read() as reader:
                return await reader.blocking(wanted.user_id, wanted.item_id), await reader.oldest_command()
        return await self.store.blocking(wanted.user_id, wanted.item_id), None

    async def write(self, order: Order) -> RequestResult:
        """Commits; orders of the same moment share the transaction."""
        return await self._orders.answer(order)

    async def settle(self, decision: ShopDecision) -> None:
        """Applies Shop's decision; a repeated or late one changes nothing. Raises UnknownPurchase."""
        await self._decisions.answer(decision)


def _without_purchase(blocking: Purchase | None, offer: Offer | None) -> RequestResult | None:
    """The result if it needs no purchase, only a request row; None: a purchase is needed."""
    if blocking is not None and blocking.is_open:
        return joined(blocking)
    if offer is None:
        return RequestResult(RequestOutcome.UNKNOWN_ITEM, None)
    if blocking is not None and offer.transaction_id is not None:
        return RequestResult(RequestOutcome.ALREADY_OWNED, blocking.id, offer)
    return None
