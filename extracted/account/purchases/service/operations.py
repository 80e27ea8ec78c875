"""What operators do with purchases: look, resume, cancel, refund a charge too many; and the audit of the books."""

import uuid
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final, Protocol

import structlog

from extracted.account.purchases.domain.purchase import CHARGED_TWICE, Entry, Purchase
from extracted.account.purchases.domain.saga import PATIENCE, Event, Patience, State, step
from extracted.account.purchases.ports import Reader, Unit
from extracted.account.purchases.service.saga_timeouts import act

log = structlog.get_logger("account.operations")

OPEN_TOO_LONG: Final = timedelta(minutes=10)
MOST_BREACHES: Final = 1000


class Kind(StrEnum):
    """Of a breach."""

    LEDGER_DIFFERS = "ledger_differs"
    LEDGER_WITHOUT_PURCHASE = "ledger_without_purchase"
    OPEN_TOO_LONG = "open_too_long"
    COMPLETED_WITHOUT_ROW = "completed_without_row"
    ROW_OF_REFUNDED = "row_of_refunded"
    CHARGED_TWICE = "charged_twice"


@dataclass(frozen=True, slots=True)
class Breach:
    """A purchase that is not as it should be."""

    kind: Kind
    purchase_id: str


@dataclass(frozen=True, slots=True)
class Audit:
    """Of one moment. `breaches` are cut at a thousand a kind."""

    at: datetime
    breaches: Sequence[Breach]


@dataclass(frozen=True, slots=True)
class Intervention:
    """What an operator did, and why."""

    purchase_id: str
    action: str
    why: str
    at: datetime
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Timeline:
    """All that is known of a purchase."""

    purchase: Purchase
    ledger: Sequence[Entry]
    interventions: Sequence[Intervention]


@dataclass(frozen=True, slots=True)
class Selection:
    """`older_than`: created before; `after`: the id that the page begins after, in the order of (created, id)."""

    limit: int
    state: State | None = None
    older_than: datetime | None = None
    after: str | None = None


class NotNow(Exception):
    """What was asked for does not count in the state that the purchase is in; says so in a sentence."""


class Records(Reader, Protocol):
    """What is kept, for operators."""

    async def listed(self, selection: Selection) -> Sequence[Purchase]:
        """The oldest first."""
        ...

    async def counts(self) -> dict[State, int]:
        """Of open purchases."""
        ...

    async def oldest_open(self) -> datetime | None:
        """When it was opened; None: none is open."""
        ...

    async def ledger_of(self, purchase_id: str) -> Sequence[Entry]:
        """In the order of time."""
        ...

    async def interventions_of(self, purchase_id: str) -> Sequence[Intervention]:
        """In the order of time."""
        ...

    async def breaches(self, opened_before: datetime, limit: int) -> Sequence[Breach]:
        """At most so many of a kind."""
        ...

    async def is_charged_twice(self, purchase_id: str) -> bool:
        """The monolith has sold it, too, and it was not refunded for that."""
        ...


class Change(Records, Unit, Protocol):
    """A write transaction of an operator."""

    async def intervene(self, intervention: Intervention) -> None:
        """Kept with the purchase."""
        ...


class Store(Protocol):
    """Where purchases are kept. Raises StoreUnavailable."""

    def read(self) -> AbstractAsyncContextManager[Records]:
        """One state of the data."""
        ...

    def write(self) -> AbstractAsyncContextManager[Change]:
        """Commits when its block ends well."""
        ...

    def sent(self) -> None:
        """After a commit."""
        ...


@dataclass(frozen=True, slots=True)
class Operations:
    """Each change is logged, and kept with its reason."""

    store: Store
    clock: Callable[[], datetime]
    patience: Patience = PATIENCE

    async def listed(self, selection: Selection) -> Sequence[Purchase]:
        """One page, the oldest first."""
        async with self.store.read() as reader:
            return await reader.listed(selection)

    async def counts(self) -> dict[State, int]:
        """Open purchases by state."""
        async with self.store.read() as reader:
            return await reader.counts()

    async def oldest_open_s(self) -> float:
        """The age of the oldest open purchase; 0: there is none."""
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

    async def resume(self, purchase_id: str, why: str) -> Purchase | None:
        """Shop is asked now what it would be asked later. None: no such purchase. Raises NotNow."""
        return await self._ask(purchase_id, Event.RESUMED, why)

    async def cancel(self, purchase_id: str, why: str) -> Purchase | None:
        """Shop is asked to cancel; if it has sold already, the purchase completes. Raises NotNow."""
        return await self._ask(purchase_id, Event.GIVEN_UP, why)

    async def refund(self, purchase_id: str, why: str) -> Purchase | None:
        """The price of one that the monolith charged for, too; the purchase keeps its state. Raises NotNow."""
        now = self.clock()
        async with self.store.write() as change:
            purchase = await change.find(purchase_id)
            if purchase is None:
                return None
            if step(purchase.state, Event.CHARGED_TWICE) is None or not await change.is_charged_twice(purchase_id):
                raise NotNow("there are not two live rows of this user and item, or it was refunded already")
            balance = await change.credit(purchase.user_id, purchase.price)
            await change.record(Entry(purchase.id, CHARGED_TWICE, purchase.price, balance, now))
            await change.intervene(Intervention(purchase.id, Event.CHARGED_TWICE, why, now))
        log.warning("purchase_refunded", purchase_id=purchase.id, price=purchase.price, why=why)
        return purchase

    async def audit(self) -> Audit:
        """The books of one moment; a breach is logged as an error."""
        now = self.clock()
        async with self.store.read() as reader:
            breaches = await reader.breaches(now - OPEN_TOO_LONG, MOST_BREACHES)
        for breach in breaches[:20]:
            log.error("audit_breach", kind=breach.kind, purchase_id=breach.purchase_id)
        return Audit(now, breaches)

    async def _ask(self, purchase_id: str, event: Event, why: str) -> Purchase | None:
        now = self.clock()
        async with self.store.write() as change:
            purchase = await change.find(purchase_id)
            if purchase is None:
                return None
            found = step(purchase.state, event)
            first = purchase.first_confirmed_at
            if found is None or not await act(change, purchase, found, self.patience, now, first):
                raise NotNow(f"the purchase is {purchase.state}: it cannot be {event.replace('_', ' ')}")
            await change.intervene(Intervention(purchase.id, event, why, now))
            purchase = await change.find(purchase_id)
        self.store.sent()
        log.warning(f"purchase_{event}", purchase_id=purchase_id, why=why)
        return purchase
