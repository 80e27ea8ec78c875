"""What the operators' use cases need from outside, and the values that they exchange with it."""

import uuid
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from extracted.account.purchases.domain.purchase import LedgerEntry, Purchase
from extracted.account.purchases.domain.saga import PurchaseState
from extracted.account.purchases.ports import PurchaseReader, PurchaseUnitOfWork


class BreachKind(StrEnum):
    """What is wrong with a purchase."""

    LEDGER_DIFFERS = "ledger_differs"
    LEDGER_WITHOUT_PURCHASE = "ledger_without_purchase"
    OPEN_TOO_LONG = "open_too_long"
    COMPLETED_WITHOUT_ROW = "completed_without_row"
    ROW_OF_REFUNDED = "row_of_refunded"
    CHARGED_TWICE = "charged_twice"


@dataclass(frozen=True, slots=True)
class Breach:
    """A purchase that the audit found to be wrong."""

    kind: BreachKind
    purchase_id: str


@dataclass(frozen=True, slots=True)
class Audit:
    """The result of an audit, of one moment; at most a thousand breaches per kind."""

    at: datetime
    breaches: Sequence[Breach]


@dataclass(frozen=True, slots=True)
class InterventionReason:
    """Who asks, as they say, and why."""

    by: str
    why: str


@dataclass(frozen=True, slots=True)
class Intervention:
    """An operator's action and its reason. `by` None: of before it was kept."""

    purchase_id: str
    action: str
    why: str
    at: datetime
    by: str | None
    id: str = field(default_factory=lambda: str(uuid.uuid4()))


@dataclass(frozen=True, slots=True)
class Timeline:
    """A purchase, its ledger entries and its interventions."""

    purchase: Purchase
    ledger: Sequence[LedgerEntry]
    interventions: Sequence[Intervention]


@dataclass(frozen=True, slots=True)
class PurchaseFilter:
    """A page, oldest first, after the id `after`. No states: all. `older_than`: created before that time."""

    limit: int
    states: Sequence[PurchaseState] = ()
    older_than: datetime | None = None
    after: str | None = None


class InterventionRefused(Exception):
    """The purchase's state does not allow what the operator wants; the text says why."""


class OperatorReader(PurchaseReader, Protocol):
    """What operators read, in one state of the store."""

    async def listed(self, selection: PurchaseFilter) -> Sequence[Purchase]:
        """The oldest first."""
        ...

    async def counts(self) -> dict[PurchaseState, int]:
        """The numbers of open purchases."""
        ...

    async def oldest_open(self) -> datetime | None:
        """When the oldest open purchase was created; None: none is open."""
        ...

    async def ledger_of(self, purchase_id: str) -> Sequence[LedgerEntry]:
        """In the order of time."""
        ...

    async def interventions_of(self, purchase_id: str) -> Sequence[Intervention]:
        """In the order of time."""
        ...

    async def breaches(self, opened_before: datetime, limit: int) -> Sequence[Breach]:
        """At most `limit` per kind."""
        ...

    async def is_charged_twice(self, purchase_id: str) -> bool:
        """The monolith sold the item, too, and the purchase was not refunded for that."""
        ...


class OperatorUnitOfWork(OperatorReader, PurchaseUnitOfWork, Protocol):
    """A write transaction of an operator."""

    async def intervene(self, intervention: Intervention) -> None:
        """Stores the intervention."""
        ...


class OperatorStore(Protocol):
    """The store as operators use it. Raises StoreUnavailable."""

    def read(self) -> AbstractAsyncContextManager[OperatorReader]:
        """One state of the data."""
        ...

    def write(self) -> AbstractAsyncContextManager[OperatorUnitOfWork]:
        """Commits when its block ends well."""
        ...

    def sent(self) -> None:
        """Call it after a commit that has put a message into the outbox."""
        ...
