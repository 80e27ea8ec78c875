"""What buying needs from outside: one transaction of the store, Shop's offers, the way back to the gateway."""

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from chassis.messaging.envelope import Envelope
from chassis.store import StoreUnavailable
from extracted.account.purchases.domain.purchase import Entry, Offer, Outcome, Purchase, Reason, Request
from extracted.account.purchases.domain.saga import Event, Silence, State


class OfferUnavailable(StoreUnavailable):
    """Shop does not answer, or not as agreed."""


class Offers(Protocol):
    """The one call to Shop."""

    async def find(self, user_id: str, item_id: str) -> Offer | None:
        """None: there is no such item. Raises OfferUnavailable."""
        ...


class Replies(Protocol):
    """The way back to a gateway that waits."""

    def send(self, routing_key: str, reply: Envelope) -> None:
        """At once, and perhaps: a lost one costs a 202."""
        ...


class Reader(Protocol):
    """A transaction that reads one state of the store."""

    async def request(self, message_id: str) -> Request | None:
        """What became of a message."""
        ...

    async def find(self, purchase_id: str) -> Purchase | None:
        """By its own id."""
        ...

    async def blocking(self, user_id: str, item_id: str) -> Purchase | None:
        """The open or completed one, unless revoked."""
        ...

    async def oldest_command(self) -> timedelta | None:
        """How long the oldest command to Shop has waited for the broker."""
        ...

    async def due(self, now: datetime, within: timedelta, limit: int) -> Sequence[Purchase]:
        """Open ones that are to be looked at, the longest due first; also those that are due later than `within`."""
        ...


@dataclass(frozen=True, slots=True)
class Paid:
    """How far it came. `balance`: afterwards; None: nothing was debited."""

    is_opened: bool
    balance: int | None = None


class Unit(Reader, Protocol):
    """A write transaction: all of it, or nothing."""

    async def keep(self, request: Request) -> bool:
        """False: that message has its row already."""
        ...

    async def change_request(self, message_id: str, outcome: Outcome, purchase_id: str | None) -> None:
        """Where it led instead."""
        ...

    async def open(self, purchase: Purchase, due_at: datetime) -> bool:
        """False: another of this user and item blocks."""
        ...

    async def pay(self, purchase: Purchase, due_at: datetime, exchange: str, command: Envelope) -> Paid:
        """`open`, `debit`, `record`, `send`: in this order, each only where those before it succeeded."""
        ...

    async def reject(self, purchase_id: str, reason: Reason, now: datetime) -> None:
        """One that was opened in this transaction, and could not be paid."""
        ...

    async def points(self, user_id: str) -> int | None:
        """None: the user is gone."""
        ...

    async def debit(self, user_id: str, points: int) -> int | None:
        """The balance afterwards; None: too few, or no user: nothing was changed."""
        ...

    async def credit(self, user_id: str, points: int) -> int | None:
        """The balance afterwards; None: the user is gone."""
        ...

    async def record(self, entry: Entry) -> None:
        """A line of the ledger; a second one of its kind fails the transaction."""
        ...

    async def settle(
        self, purchase_id: str, event: Event, to: State, reason: Reason | None, now: datetime
    ) -> Purchase | None:
        """The purchase afterwards; None: the event does not count in its state, or there is none."""
        ...

    async def silence(self, purchase: Purchase) -> Silence:
        """Since when the broker has its commands."""
        ...

    async def ask(
        self, purchase: Purchase, to: State, due_at: datetime, now: datetime, first_confirmed_at: datetime | None
    ) -> bool:
        """One more command is counted; False: the purchase has moved on since it was read."""
        ...

    async def look_again(self, purchase: Purchase, due_at: datetime, first_confirmed_at: datetime | None) -> None:
        """Nothing else changes."""
        ...

    async def revoke(self, purchase_id: str, now: datetime) -> bool:
        """False: it is not COMPLETED, or revoked already."""
        ...

    async def send(self, exchange: str, message: Envelope) -> None:
        """Into the outbox."""
        ...


class Store(Protocol):
    """Where purchases are kept, with points, inbox and outbox. Raises StoreUnavailable."""

    def read(self) -> AbstractAsyncContextManager[Reader]:
        """One state of the data."""
        ...

    def look(self) -> AbstractAsyncContextManager[Reader]:
        """For one question alone: cheaper than `read`."""
        ...

    def write(self) -> AbstractAsyncContextManager[Unit]:
        """Commits when its block ends well."""
        ...

    def sent(self) -> None:
        """After a commit: the outbox has something new."""
        ...
