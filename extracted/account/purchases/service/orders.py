"""Writes what requests to buy came to: those that come together share a transaction."""

from collections.abc import Callable, Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from chassis.failpoints import reach
from chassis.uuid_text import canonical_uuid
from extracted.account.purchases import messages
from extracted.account.purchases.domain.purchase import (
    UNPAYABLE,
    CostInvalid,
    FailureReason,
    Offer,
    Purchase,
    PurchaseRequest,
    RequestOutcome,
    RequestRecord,
    fractional_price,
    whole_price,
)
from extracted.account.purchases.domain.saga import PurchaseEvent, PurchaseState, TimeoutSettings, transition
from extracted.account.purchases.ports import NewPurchase, Payment, PurchaseStore, PurchaseUnitOfWork

log = structlog.get_logger("account.buying")

MOST_TRIES: Final = 3
_REJECTED: Final = {
    FailureReason.INSUFFICIENT_POINTS: RequestOutcome.INSUFFICIENT_POINTS,
    FailureReason.USER_DELETED: RequestOutcome.USER_DELETED,
}


@dataclass(frozen=True, slots=True)
class RequestResult:
    """What became of a request. `purchase_id`: the purchase that it led to; None: there is no purchase of ours."""

    outcome: RequestOutcome
    purchase_id: str | None
    offer: Offer | None = None


@dataclass(frozen=True, slots=True)
class Order:
    """A request, and what was found before its transaction. `decided`: its result if it needs no purchase."""

    wanted: PurchaseRequest
    blocking: Purchase | None
    offer: Offer | None
    decided: RequestResult | None = None

    @property
    def keys(self) -> Sequence[Hashable]:
        """Of two orders that share one, the second has to see what the first has written."""
        return self.wanted.id, self.wanted.user_id


@dataclass(frozen=True, slots=True)
class OrderWriter:
    """`clock` in UTC."""

    store: PurchaseStore
    clock: Callable[[], datetime]
    timeouts: TimeoutSettings

    async def write(self, orders: Sequence[Order]) -> Sequence[RequestResult]:
        """Writes orders without a common key in one transaction, and returns their results in the same order."""
        by_user = sorted(orders, key=lambda order: order.wanted.user_id)  # so that two processes lock in one order
        async with self.store.write(is_shared=len(orders) > 1) as unit:
            results = await self._record(unit, by_user)
            await reach("account.before_debit_commit")
        self.store.sent()
        await reach("account.debited")
        return [results[order.wanted.id] for order in orders]

    async def _record(self, unit: PurchaseUnitOfWork, orders: Sequence[Order]) -> Mapping[str, RequestResult]:
        """Writes in the design's order: request rows (the inbox, too), purchase rows, debits, ledger, outbox."""
        new = await self._add_requests(unit, orders)
        results, buying = {}, []
        for order in orders:
            is_repeated = order.wanted.digest is not None and order.wanted.id not in new
            found = await (_repeated(unit, order.wanted) if is_repeated else self._decide(unit, order))
            if isinstance(found, RequestResult):
                results[order.wanted.id] = found
            else:
                buying.append(found)
        results |= await self._buy(unit, buying)
        for id in new:
            if results[id] != RequestResult(RequestOutcome.ACCEPTED, id):
                await unit.change_request(id, results[id].outcome, results[id].purchase_id)
        return results

    async def _add_requests(self, unit: PurchaseUnitOfWork, orders: Sequence[Order]) -> Collection[str]:
        """Adds rows with the most frequent outcome; another outcome changes it at the end."""
        rows = [_record(order.wanted, order.wanted.digest, self.clock()) for order in orders if order.wanted.digest]
        return await unit.add_requests(rows)

    async def _decide(self, unit: PurchaseUnitOfWork, order: Order) -> RequestResult | NewPurchase:
        wanted, offer = order.wanted, order.offer
        if order.decided is not None:
            return order.decided
        if offer is None:
            return RequestResult(RequestOutcome.UNKNOWN_ITEM, None)
        if offer.transaction_id is not None:  # a live row, of a new purchase or of the monolith: nothing is debited
            own = await unit.blocking(wanted.user_id, wanted.item_id)
            return RequestResult(RequestOutcome.ALREADY_OWNED, None) if own is None else joined(own)
        if order.blocking is not None:
            await self._revoke(unit, order.blocking)
        try:
            return self._new(wanted, offer, await _price(unit, wanted.user_id, offer.item.cost))
        except CostInvalid as error:
            log.warning("cost_invalid", item_id=wanted.item_id, reason=str(error))
            return RequestResult(RequestOutcome.FAILED, None)

    async def _revoke(self, unit: PurchaseUnitOfWork, blocking: Purchase) -> None:
        """It was COMPLETED before Shop was asked, and Shop has no live row: somebody has removed the row."""
        removed = transition(blocking.state, PurchaseEvent.ROW_REMOVED)
        if removed is not None and await unit.revoke(blocking.id, self.clock()):
            log.info("purchase_revoked", purchase_id=blocking.id)

    def _new(self, wanted: PurchaseRequest, offer: Offer, price: int) -> NewPurchase:
        item_id, now = canonical_uuid(wanted.item_id) or wanted.item_id, self.clock()
        purchase = Purchase(wanted.id, wanted.user_id, item_id, offer.item, price, PurchaseState.DEBITED, now)
        command = messages.command(messages.DECREASE, purchase, now, wanted.traceparent)
        return NewPurchase(purchase, command, now + self.timeouts.ask_again)

    async def _buy(self, unit: PurchaseUnitOfWork, buying: Sequence[NewPurchase]) -> Mapping[str, RequestResult]:
        results: dict[str, RequestResult] = {}
        for _ in range(MOST_TRIES):
            if not buying:
                return results
            payments = await unit.pay(messages.COMMANDS_EXCHANGE, buying)
            for new in buying:
                found = await self._paid(unit, new.purchase, payments[new.purchase.id])
                if found is not None:
                    results[new.purchase.id] = found
            buying = [new for new in buying if new.purchase.id not in results]
        if buying:
            raise RuntimeError(f"purchase {buying[0].purchase.id} is blocked, but no purchase blocks it")
        return results

    async def _paid(self, unit: PurchaseUnitOfWork, purchase: Purchase, paid: Payment) -> RequestResult | None:
        """None: a purchase was in the way, and is not any more."""
        if not paid.is_opened:
            other = await unit.blocking(purchase.user_id, purchase.item_id)
            return None if other is None else joined(other)
        if paid.balance is not None:
            return RequestResult(RequestOutcome.ACCEPTED, purchase.id)
        gone = await unit.points(purchase.user_id) is None
        reason = FailureReason.USER_DELETED if gone else FailureReason.INSUFFICIENT_POINTS
        await unit.reject(purchase.id, reason, self.clock())
        return RequestResult(_REJECTED[reason], purchase.id)


async def _price(unit: PurchaseUnitOfWork, user_id: str, cost: float | None) -> int:
    """Raises CostInvalid."""
    price = whole_price(cost)
    if price is not None:
        return price
    points = await unit.points(user_id)
    return UNPAYABLE if points is None else fractional_price(cost or 0, points)


def _record(wanted: PurchaseRequest, digest: str, at: datetime) -> RequestRecord:
    accepted = RequestOutcome.ACCEPTED
    return RequestRecord(wanted.id, wanted.user_id, wanted.item_id, digest, accepted, wanted.id, at)


async def _repeated(unit: PurchaseUnitOfWork, wanted: PurchaseRequest) -> RequestResult:
    """A request with the same id and another content learns nothing about the first one."""
    known = await unit.request(wanted.id)
    assert known is not None, "a request row is never deleted"
    if known.digest != wanted.digest:
        return RequestResult(RequestOutcome.CONFLICT, None)
    return RequestResult(known.outcome, known.purchase_id)


def joined(purchase: Purchase) -> RequestResult:
    """An open purchase counts as the caller's own, whatever becomes of it."""
    owned = purchase.state is PurchaseState.COMPLETED
    return RequestResult(RequestOutcome.ALREADY_OWNED if owned else RequestOutcome.ACCEPTED, purchase.id)
