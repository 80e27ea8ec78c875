"""The use cases of a purchase: take a request to buy, take Shop's decision."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

import structlog

from chassis.failpoints import reach
from chassis.messaging.envelope import Envelope
from chassis.uuid_text import canonical_uuid
from extracted.account.purchases import messages
from extracted.account.purchases.domain.purchase import (
    REFUND,
    UNPAYABLE,
    CostInvalid,
    FailureReason,
    LedgerEntry,
    Offer,
    Purchase,
    PurchaseRequest,
    RequestOutcome,
    RequestRecord,
    UnknownPurchase,
    fractional_price,
    whole_price,
)
from extracted.account.purchases.domain.saga import (
    DEFAULT_TIMEOUTS,
    TRANSITIONS,
    Effect,
    PurchaseEvent,
    PurchaseState,
    TimeoutSettings,
    transition,
)
from extracted.account.purchases.messages import ShopDecision
from extracted.account.purchases.ports import Offers, Payment, PurchaseStore, PurchaseUnitOfWork
from extracted.account.purchases.settlement_waiters import SettlementWaiters

log = structlog.get_logger("account.buying")

MOST_TRIES: Final = 3
STALE_OUTBOX: Final = timedelta(seconds=2)
_REJECTED: Final = {
    FailureReason.INSUFFICIENT_POINTS: RequestOutcome.INSUFFICIENT_POINTS,
    FailureReason.USER_DELETED: RequestOutcome.USER_DELETED,
}


class OutboxStale(Exception):
    """Commands do not reach Shop, so nothing is debited for a caller who waits for the answer."""


@dataclass(frozen=True, slots=True)
class RequestResult:
    """What became of a request. `purchase_id`: the purchase that it led to; None: there is no purchase of ours."""

    outcome: RequestOutcome
    purchase_id: str | None
    offer: Offer | None = None


@dataclass(frozen=True, slots=True)
class PurchaseService:
    """`clock` in UTC. Shop is asked over HTTP before the write transaction begins."""

    store: PurchaseStore
    offers: Offers
    clock: Callable[[], datetime]
    waiters: SettlementWaiters
    timeouts: TimeoutSettings = DEFAULT_TIMEOUTS

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
        return replace(await self._write(wanted, blocking, offer, decided), offer=offer)

    async def _blocking(self, wanted: PurchaseRequest, *, with_age: bool) -> tuple[Purchase | None, timedelta | None]:
        """The purchase that blocks, and how long the oldest command has waited."""
        if with_age:
            async with self.store.read() as reader:
                return await reader.blocking(wanted.user_id, wanted.item_id), await reader.oldest_command()
        async with self.store.look() as reader:
            return await reader.blocking(wanted.user_id, wanted.item_id), None

    async def _write(
        self, wanted: PurchaseRequest, blocking: Purchase | None, offer: Offer | None, decided: RequestResult | None
    ) -> RequestResult:
        async with self.store.write() as unit:
            result = await self._record(unit, wanted, blocking, offer, decided)
            await reach("account.before_debit_commit")
        self.store.sent()
        await reach("account.debited")
        return result

    async def _record(
        self,
        unit: PurchaseUnitOfWork,
        wanted: PurchaseRequest,
        blocking: Purchase | None,
        offer: Offer | None,
        decided: RequestResult | None,
    ) -> RequestResult:
        """Writes in the design's order: request row (the inbox, too), purchase row, debit, ledger, outbox."""
        if wanted.digest is not None and not await self._is_new(unit, wanted, wanted.digest):
            known = await unit.request(wanted.id)
            assert known is not None, "a request row is never deleted"
            return _repeated(known, wanted)
        result = decided or await self._decide(unit, wanted, blocking, offer)
        if wanted.digest is not None and result != RequestResult(RequestOutcome.ACCEPTED, wanted.id):
            await unit.change_request(wanted.id, result.outcome, result.purchase_id)
        return result

    async def _is_new(self, unit: PurchaseUnitOfWork, wanted: PurchaseRequest, digest: str) -> bool:
        """Adds the row with the most frequent outcome; another outcome changes it at the end."""
        at, accepted = self.clock(), RequestOutcome.ACCEPTED
        row = RequestRecord(wanted.id, wanted.user_id, wanted.item_id, digest, accepted, wanted.id, at)
        return await unit.add_request(row)

    async def _decide(
        self, unit: PurchaseUnitOfWork, wanted: PurchaseRequest, blocking: Purchase | None, offer: Offer | None
    ) -> RequestResult:
        if offer is None:
            return RequestResult(RequestOutcome.UNKNOWN_ITEM, None)
        if offer.transaction_id is not None:  # a live row, of a new purchase or of the monolith: nothing is debited
            own = await unit.blocking(wanted.user_id, wanted.item_id)
            return RequestResult(RequestOutcome.ALREADY_OWNED, None) if own is None else _joined(own)
        if blocking is not None:
            await self._revoke(unit, blocking)
        try:
            return await self._debit(unit, wanted, offer)
        except CostInvalid as error:
            log.warning("cost_invalid", item_id=wanted.item_id, reason=str(error))
            return RequestResult(RequestOutcome.FAILED, None)

    async def _revoke(self, unit: PurchaseUnitOfWork, blocking: Purchase) -> None:
        """It was COMPLETED before Shop was asked, and Shop has no live row: somebody has removed the row."""
        removed = transition(blocking.state, PurchaseEvent.ROW_REMOVED)
        if removed is not None and await unit.revoke(blocking.id, self.clock()):
            log.info("purchase_revoked", purchase_id=blocking.id)

    async def _debit(self, unit: PurchaseUnitOfWork, wanted: PurchaseRequest, offer: Offer) -> RequestResult:
        purchase = self._new(wanted, offer, await _price(unit, wanted.user_id, offer.item.cost))
        command = messages.command(messages.DECREASE, purchase, self.clock(), wanted.traceparent)
        for _ in range(MOST_TRIES):
            paid = await self._pay(unit, purchase, command)
            if paid.is_opened:
                return await self._paid(unit, purchase, paid)
            other = await unit.blocking(wanted.user_id, purchase.item_id)
            if other is not None:
                return _joined(other)
        raise RuntimeError(f"purchase {wanted.id} is blocked, but no purchase blocks it")

    def _new(self, wanted: PurchaseRequest, offer: Offer, price: int) -> Purchase:
        item_id = canonical_uuid(wanted.item_id) or wanted.item_id
        return Purchase(wanted.id, wanted.user_id, item_id, offer.item, price, PurchaseState.DEBITED, self.clock())

    async def _pay(self, unit: PurchaseUnitOfWork, purchase: Purchase, command: Envelope) -> Payment:
        due_at = purchase.created_at + self.timeouts.ask_again
        return await unit.pay(purchase, due_at, messages.COMMANDS_EXCHANGE, command)

    async def _paid(self, unit: PurchaseUnitOfWork, purchase: Purchase, paid: Payment) -> RequestResult:
        if paid.balance is not None:
            return RequestResult(RequestOutcome.ACCEPTED, purchase.id)
        gone = await unit.points(purchase.user_id) is None
        reason = FailureReason.USER_DELETED if gone else FailureReason.INSUFFICIENT_POINTS
        await unit.reject(purchase.id, reason, self.clock())
        return RequestResult(_REJECTED[reason], purchase.id)

    async def settle(self, decision: ShopDecision) -> None:
        """Applies Shop's decision; a repeated or late one changes nothing. Raises UnknownPurchase."""
        to = TRANSITIONS[PurchaseState.DEBITED, decision.event]
        now = self.clock()
        async with self.store.write() as unit:
            settled = await unit.settle(decision.purchase_id, decision.event, to.next, decision.reason, now)
            if settled is None:
                await _expect_known(unit, decision.purchase_id)
            elif Effect.REFUND in to.effects:
                balance = await unit.credit(settled.user_id, settled.price)
                await unit.record(LedgerEntry(settled.id, REFUND, settled.price, balance, now))
                await reach("account.before_refund_commit")
            await reach("account.before_settle_commit")
        if settled is not None:
            self.waiters.settled(settled)
        await reach("account.settled")


async def _price(unit: PurchaseUnitOfWork, user_id: str, cost: float | None) -> int:
    """Raises CostInvalid."""
    price = whole_price(cost)
    if price is not None:
        return price
    points = await unit.points(user_id)
    return UNPAYABLE if points is None else fractional_price(cost or 0, points)


async def _expect_known(unit: PurchaseUnitOfWork, purchase_id: str) -> None:
    if await unit.find(purchase_id) is None:
        raise UnknownPurchase("Shop decided about a purchase that does not exist here")


def _without_purchase(blocking: Purchase | None, offer: Offer | None) -> RequestResult | None:
    """The result if it needs no purchase, only a request row; None: a purchase is needed."""
    if blocking is not None and blocking.is_open:
        return _joined(blocking)
    if offer is None:
        return RequestResult(RequestOutcome.UNKNOWN_ITEM, None)
    if blocking is not None and offer.transaction_id is not None:
        return RequestResult(RequestOutcome.ALREADY_OWNED, blocking.id, offer)
    return None


def _repeated(known: RequestRecord, wanted: PurchaseRequest) -> RequestResult:
    """A request with the same id and another content learns nothing about the first one."""
    if known.digest != wanted.digest:
        return RequestResult(RequestOutcome.CONFLICT, None)
    return RequestResult(known.outcome, known.purchase_id)


def _joined(purchase: Purchase) -> RequestResult:
    """An open purchase counts as the caller's own, whatever becomes of it."""
    owned = purchase.state is PurchaseState.COMPLETED
    return RequestResult(RequestOutcome.ALREADY_OWNED if owned else RequestOutcome.ACCEPTED, purchase.id)
