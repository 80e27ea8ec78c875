"""What the use cases of a purchase need from outside: the store and Shop's offers."""

from collections.abc import Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from chassis.messaging.envelope import Envelope
from chassis.store import StoreUnavailable
from extracted.account.purchases.domain.purchase import (
    FailureReason,
    LedgerEntry,
    Offer,
    Purchase,
    RequestOutcome,
    RequestRecord,
)
from extracted.account.purchases.domain.saga import CommandTimes, PurchaseEvent, PurchaseState


class OfferUnavailable(StoreUnavailable):
    """Shop does not answer, or its answer is not as agreed."""


class Offers(Protocol):
    """Shop's offers."""

    async def find(self, user_id: str, item_id: str) -> Offer | None:
        """None: there is no such item. Raises OfferUnavailable."""
        ...


class PurchaseReader(Protocol):
    """A transaction that reads one state of the store."""

    async def request(self, message_id: str) -> RequestRecord | None:
        """What became of a message."""
        ...

    async def find(self, purchase_id: str) -> Purchase | None:
        """None: there is no such purchase."""
        ...

    async def blocking(self, user_id: str, item_id: str) -> Purchase | None:
        """The open or completed purchase, unless it is revoked."""
        ...

    async def oldest_command(self) -> timedelta | None:
        """How long the oldest command to Shop has waited for the broker."""
        ...

    async def due(self, now: datetime, within: timedelta, limit: int) -> Sequence[Purchase]:
        """Open purchases to check, the longest due first; also those due only after `within` (a clock put back)."""
        ...


@dataclass(frozen=True, slots=True)
class NewPurchase:
    """A purchase to pay, the command that follows the debit, and when to check whether Shop has answered."""

    purchase: Purchase
    command: Envelope
    due_at: datetime


@dataclass(frozen=True, slots=True)
class Payment:
    """`is_opened` False: another purchase blocks. `balance`: after the debit; None: nothing was debited."""

    is_opened: bool
    balance: int | None = None


class PurchaseUnitOfWork(PurchaseReader, Protocol):
    """A write transaction: it writes everything or nothing."""

    async def add_requests(self, requests: Sequence[RequestRecord]) -> Collection[str]:
        """The ids of those that are new; the others have a row already. The ids differ."""
        ...

    async def change_request(self, message_id: str, outcome: RequestOutcome, purchase_id: str | None) -> None:
        """Changes the outcome of a request."""
        ...

    async def pay(self, exchange: str, new: Sequence[NewPurchase]) -> Mapping[str, Payment]:
        """Writes purchases, debits, ledger entries and commands in this order; each only if the one before succeeded.

        Each is another user's. Returns purchase id → payment.
        """
        ...

    async def reject(self, purchase_id: str, reason: FailureReason, now: datetime) -> None:
        """Rejects a purchase that `pay` opened in this transaction and could not debit."""
        ...

    async def points(self, user_id: str) -> int | None:
        """The balance; None: the user is deleted."""
        ...

    async def credit(self, user_id: str, points: int) -> int | None:
        """The balance afterwards; None: the user is deleted."""
        ...

    async def record(self, entry: LedgerEntry) -> None:
        """Adds an entry to the ledger; a second one of its kind fails the transaction."""
        ...

    async def settle(
        self, event: PurchaseEvent, to: PurchaseState, reasons: Mapping[str, FailureReason | None], now: datetime
    ) -> Sequence[Purchase]:
        """The purchases afterwards, without those that do not exist or in whose state the event does not count.

        `reasons`: by purchase id.
        """
        ...

    async def command_times(self, purchase: Purchase) -> CommandTimes:
        """When the broker confirmed the purchase's commands."""
        ...

    async def count_command(
        self,
        purchase: Purchase,
        to: PurchaseState,
        due_at: datetime,
        now: datetime,
        first_confirmed_at: datetime | None,
    ) -> bool:
        """Counts one more command. False: the purchase has changed since it was read."""
        ...

    async def postpone(self, purchase: Purchase, due_at: datetime, first_confirmed_at: datetime | None) -> None:
        """Changes when the purchase is due, unless it has changed since it was read."""
        ...

    async def revoke(self, purchase_id: str, now: datetime) -> bool:
        """False: it is not COMPLETED, or it is revoked already."""
        ...

    async def send(self, exchange: str, message: Envelope) -> None:
        """Puts the message into the outbox."""
        ...


class PurchaseStore(Protocol):
    """The store of purchases, points, inbox and outbox. Raises StoreUnavailable."""

    def read(self) -> AbstractAsyncContextManager[PurchaseReader]:
        """Several questions about one state of the data."""
        ...

    def look(self) -> AbstractAsyncContextManager[PurchaseReader]:
        """One question; cheaper than `read`."""
        ...

    async def blocking(self, user_id: str, item_id: str) -> Purchase | None:
        """The same as the reader's; what is asked under load is read together."""
        ...

    def write(self, *, is_shared: bool = False) -> AbstractAsyncContextManager[PurchaseUnitOfWork]:
        """Commits when its block ends without an exception.

        `is_shared`: for several purchases; it raises StoreUnavailable if one of them has to wait for somebody else.
        """
        ...

    def sent(self) -> None:
        """Call it after a commit that has put a message into the outbox."""
        ...
