"""The use cases of a purchase: ask for one, take Shop's decision, wait for the outcome."""

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
    Asked,
    CostInvalid,
    Entry,
    Offer,
    Outcome,
    Purchase,
    Reason,
    Request,
    UnknownPurchase,
    fractional_price,
    whole_price,
)
from extracted.account.purchases.domain.saga import PATIENCE, STEPS, Effect, Event, Patience, State, step
from extracted.account.purchases.messages import Decided
from extracted.account.purchases.ports import Offers, Paid, Reader, Store, Unit
from extracted.account.purchases.waiting import Waiting

log = structlog.get_logger("account.buying")

MOST_TRIES: Final = 3
STALE_OUTBOX: Final = timedelta(seconds=2)
_REJECTED: Final = {
    Reason.INSUFFICIENT_POINTS: Outcome.INSUFFICIENT_POINTS,
    Reason.USER_DELETED: Outcome.USER_DELETED,
}


class OutboxStale(Exception):
    """Commands to Shop do not get away: nothing is debited for somebody who waits for the answer."""


@dataclass(frozen=True, slots=True)
class Answered:
    """What a request came to. `purchase_id`: the purchase that it led to; None: there is none of ours."""

    outcome: Outcome
    purchase_id: str | None
    offer: Offer | None = None


@dataclass(frozen=True, slots=True)
class Buying:
    """`clock` in UTC. What Shop is asked over HTTP is asked before the write transaction begins."""

    store: Store
    offers: Offers
    clock: Callable[[], datetime]
    waiting: Waiting
    patience: Patience = PATIENCE

    async def request(self, asked: Asked, *, refuse_stale: bool = False) -> Answered:
        """One message, or one call, to one outcome; repeated, the same one. Raises OfferUnavailable, OutboxStale.

        Account looks for a purchase that blocks before it asks Shop: only an offer made after that look can show that
        a completed purchase has lost its row. An open purchase is joined without an offer: to Shop the item may be
        bought already, or gone.
        """
        seen, age = await self._looked(asked, refuse_stale)
        offer = None
        if seen is None or not seen.is_open:
            offer = await self.offers.find(asked.user_id, asked.item_id)
        foregone = _foregone(seen, offer)
        if foregone is None and age is not None and age > STALE_OUTBOX:
            raise OutboxStale(f"the oldest command waits for {age.total_seconds():.1f} s")
        if foregone is not None and asked.digest is None:
            return foregone
        return replace(await self._written(asked, seen, offer, foregone), offer=offer)

    async def _looked(self, asked: Asked, with_age: bool) -> tuple[Purchase | None, timedelta | None]:
        """What blocks, and how long the oldest command has waited."""
        if with_age:
            async with self.store.read() as reader:
                return await reader.blocking(asked.user_id, asked.item_id), await reader.oldest_command()
        async with self.store.look() as reader:
            return await reader.blocking(asked.user_id, asked.item_id), None

    async def _written(
        self, asked: Asked, seen: Purchase | None, offer: Offer | None, foregone: Answered | None
    ) -> Answered:
        async with self.store.write() as unit:
            answered = await self._in(unit, asked, seen, offer, foregone)
            await reach("account.before_debit_commit")
        self.store.sent()
        await reach("account.debited")
        return answered

    async def _in(
        self, unit: Unit, asked: Asked, seen: Purchase | None, offer: Offer | None, foregone: Answered | None
    ) -> Answered:
        """The order is the design's: request row (it is the inbox, too), purchase row, debit, ledger, outbox."""
        if asked.digest is not None and not await self._is_new(unit, asked, asked.digest):
            kept = await unit.request(asked.id)
            assert kept is not None, "a row that is there, and never goes"
            return _repeated(kept, asked)
        answered = foregone or await self._decided(unit, asked, seen, offer)
        if asked.digest is not None and answered != Answered(Outcome.ACCEPTED, asked.id):
            await unit.change_request(asked.id, answered.outcome, answered.purchase_id)
        return answered

    async def _is_new(self, unit: Unit, asked: Asked, digest: str) -> bool:
        """Its row says what most requests come to; where it is another, the row is changed at the end."""
        return await unit.keep(self._request(asked, digest))

    def _request(self, asked: Asked, digest: str) -> Request:
        return Request(asked.id, asked.user_id, asked.item_id, digest, Outcome.ACCEPTED, asked.id, self.clock())

    async def _decided(self, unit: Unit, asked: Asked, seen: Purchase | None, offer: Offer | None) -> Answered:
        if offer is None:
            return Answered(Outcome.UNKNOWN_ITEM, None)
        if offer.transaction_id is not None:  # a live row: ours since we looked, or the monolith's: nothing is debited
            own = await unit.blocking(asked.user_id, asked.item_id)
            return Answered(Outcome.ALREADY_OWNED, None) if own is None else _joined(own)
        if seen is not None:
            await self._revoke(unit, seen)
        try:
            return await self._buy(unit, asked, offer)
        except CostInvalid as error:
            log.warning("cost_invalid", item_id=asked.item_id, reason=str(error))
            return Answered(Outcome.FAILED, None)

    async def _revoke(self, unit: Unit, seen: Purchase) -> None:
        """It was COMPLETED before Shop was asked, and Shop has no live row: that was removed since."""
        if step(seen.state, Event.ROW_REMOVED) is not None and await unit.revoke(seen.id, self.clock()):
            log.info("purchase_revoked", purchase_id=seen.id)

    async def _buy(self, unit: Unit, asked: Asked, offer: Offer) -> Answered:
        price = whole_price(offer.item.cost)
        if price is None:
            points = await unit.points(asked.user_id)
            price = UNPAYABLE if points is None else fractional_price(offer.item.cost or 0, points)
        purchase = self._new(asked, offer, price)
        sent = self._command(purchase, asked)
        for _ in range(MOST_TRIES):
            paid = await unit.pay(purchase, self._due_at(purchase), *sent)
            if paid.is_opened:
                return await self._paid(unit, purchase, paid)
            other = await unit.blocking(asked.user_id, purchase.item_id)
            if other is not None:
                return _joined(other)
        raise RuntimeError(f"purchase {asked.id} finds neither a place nor who has it")

    def _new(self, asked: Asked, offer: Offer, price: int) -> Purchase:
        item_id = canonical_uuid(asked.item_id) or asked.item_id
        return Purchase(asked.id, asked.user_id, item_id, offer.item, price, State.DEBITED, self.clock())

    def _due_at(self, purchase: Purchase) -> datetime:
        return purchase.created_at + self.patience.ask_again

    def _command(self, purchase: Purchase, asked: Asked) -> tuple[str, Envelope]:
        command = messages.command(messages.DECREASE, purchase, self.clock(), asked.traceparent)
        return messages.COMMANDS_EXCHANGE, command

    async def _paid(self, unit: Unit, purchase: Purchase, paid: Paid) -> Answered:
        if paid.balance is not None:
            return Answered(Outcome.ACCEPTED, purchase.id)
        gone = await unit.points(purchase.user_id) is None
        reason = Reason.USER_DELETED if gone else Reason.INSUFFICIENT_POINTS
        await unit.reject(purchase.id, reason, self.clock())
        return Answered(_REJECTED[reason], purchase.id)

    async def settle(self, decided: Decided) -> None:
        """What Shop decided; again, or too late, it changes nothing. Raises UnknownPurchase."""
        to = STEPS[State.DEBITED, decided.event]
        now = self.clock()
        async with self.store.write() as unit:
            settled = await unit.settle(decided.purchase_id, decided.event, to.next, decided.reason, now)
            if settled is None:
                await _expect_known(unit, decided)
            elif Effect.REFUND in to.effects:
                balance = await unit.credit(settled.user_id, settled.price)
                await unit.record(Entry(settled.id, REFUND, settled.price, balance, now))
                await reach("account.before_refund_commit")
            await reach("account.before_settle_commit")
        if settled is not None:
            self.waiting.settled(settled)
        await reach("account.settled")


async def _expect_known(reader: Reader, decided: Decided) -> None:
    if await reader.find(decided.purchase_id) is None:
        raise UnknownPurchase("Shop decided about a purchase that is not known here")


def _foregone(seen: Purchase | None, offer: Offer | None) -> Answered | None:
    """What nothing has to be written for but a request row."""
    if seen is not None and seen.is_open:
        return _joined(seen)
    if offer is None:
        return Answered(Outcome.UNKNOWN_ITEM, None)
    if seen is not None and offer.transaction_id is not None:
        return Answered(Outcome.ALREADY_OWNED, seen.id, offer)
    return None


def _repeated(kept: Request, asked: Asked) -> Answered:
    """Another content under the same id learns nothing of the first."""
    return Answered(kept.outcome, kept.purchase_id) if kept.digest == asked.digest else Answered(Outcome.CONFLICT, None)


def _joined(purchase: Purchase) -> Answered:
    """One that is not settled is the asker's own, whatever becomes of it."""
    owned = purchase.state is State.COMPLETED
    return Answered(Outcome.ALREADY_OWNED if owned else Outcome.ACCEPTED, purchase.id)
