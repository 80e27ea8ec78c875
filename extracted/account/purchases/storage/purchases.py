"""The store of purchases: one transaction over Account's tables, the points, the inbox and the outbox."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from chassis.database.database import Database
from chassis.database.prepared import Connection
from chassis.messaging.envelope import Envelope
from chassis.outbox.outbox import Outbox
from extracted.account.purchases import messages
from extracted.account.purchases.domain.purchase import DEBIT, Entry, Outcome, Purchase, Reason, Request, command_id
from extracted.account.purchases.domain.saga import Event, Silence, State
from extracted.account.purchases.ports import Paid, Reader, Unit
from extracted.account.purchases.storage import rows
from extracted.account.purchases.storage.statements import Statements, build
from extracted.account.purchases.storage.tables import Tables

_SURELY_OUT = timedelta(seconds=1)


class Points(Protocol):
    """Where balances are kept, in the same database."""

    async def points(self, connection: Connection, user_id: str) -> int | None:
        """None: there is no such user."""
        ...

    async def debit(self, connection: Connection, user_id: str, points: int) -> int | None:
        """The balance afterwards; None: too few points, or no such user."""
        ...

    async def credit(self, connection: Connection, user_id: str, points: int) -> int | None:
        """The balance afterwards; None: there is no such user."""
        ...


@dataclass(frozen=True, slots=True)
class Kept:
    """What a transaction works on."""

    tables: Tables
    statements: Statements
    points: Points
    outbox: Outbox
    clock: Callable[[], datetime]


def kept(tables: Tables, points: Points, outbox: Outbox, clock: Callable[[], datetime]) -> Kept:
    """For one process."""
    return Kept(tables, build(tables), points, outbox, clock)


class SqlStore:
    """Implements the port Store."""

    def __init__(self, database: Database, kept: Kept) -> None:
        self._database = database
        self._kept = kept

    @asynccontextmanager
    async def read(self) -> AsyncIterator[Reader]:
        """One state of the data."""
        async with self._database.read() as connection:
            yield SqlUnit(connection, self._kept)

    @asynccontextmanager
    async def look(self) -> AsyncIterator[Reader]:
        """For one statement."""
        async with self._database.single() as connection:
            yield SqlUnit(connection, self._kept)

    @asynccontextmanager
    async def write(self) -> AsyncIterator[Unit]:
        """Commits when its block ends well."""
        async with self._database.work() as connection:
            yield SqlUnit(connection, self._kept)

    def sent(self) -> None:
        """Wakes the relay of this process."""
        self._kept.outbox.wake()


class SqlUnit:
    """Implements the ports Reader and Unit on one connection."""

    def __init__(self, connection: Connection, kept: Kept) -> None:
        self._connection = connection
        self._kept = kept
        self._statements = kept.statements

    async def request(self, message_id: str) -> Request | None:
        """By the message that it came with."""
        found = await self._statements.request.on(self._connection, {"of_id": message_id})
        return rows.request(found[0]) if found else None

    async def find(self, purchase_id: str) -> Purchase | None:
        """By its own id."""
        found = await self._statements.find.on(self._connection, {"of_id": purchase_id})
        return rows.purchase(found[0]) if found else None

    async def blocking(self, user_id: str, item_id: str) -> Purchase | None:
        """The unique index allows one."""
        which = {"of_user": user_id, "of_item": item_id}
        found = await self._statements.blocking.on(self._connection, which)
        return rows.purchase(found[0]) if found else None

    async def oldest_command(self) -> timedelta | None:
        """How long the oldest command to Shop has waited for the broker."""
        return await self._kept.outbox.oldest_unpublished(self._connection, messages.COMMANDS_EXCHANGE)

    async def due(self, now: datetime, within: timedelta, limit: int) -> Sequence[Purchase]:
        """The longest due first; what is due later than `within` is so because the clock was put back."""
        which = {"of_now": now, "of_late": now + 2 * within, "of_limit": limit}
        return [rows.purchase(row) for row in await self._statements.due.on(self._connection, which)]

    async def keep(self, request: Request) -> bool:
        """False: that message has its row already; on PostgreSQL, after that one's transaction has ended."""
        return len(await self._statements.keep.on(self._connection, rows.request_values(request))) == 1

    async def change_request(self, message_id: str, outcome: Outcome, purchase_id: str | None) -> None:
        """Where it led instead."""
        values = {"outcome": outcome.value, "purchase_id": purchase_id}
        await self._statements.change_request.on(self._connection, {"of_id": message_id, **values})

    async def open(self, purchase: Purchase, due_at: datetime) -> bool:
        """False: another of this user and item blocks; on PostgreSQL, after that one's transaction has ended."""
        row = {**rows.values(purchase), "due_at": due_at}
        return len(await self._statements.open.on(self._connection, row)) == 1

    async def pay(self, purchase: Purchase, due_at: datetime, exchange: str, command: Envelope) -> Paid:
        """The order is the design's."""
        if not await self.open(purchase, due_at):
            return Paid(False)
        balance = await self.debit(purchase.user_id, purchase.price)
        if balance is not None:
            await self.record(Entry(purchase.id, DEBIT, -purchase.price, balance, purchase.created_at))
            await self.send(exchange, command)
        return Paid(True, balance)

    async def reject(self, purchase_id: str, reason: Reason, now: datetime) -> None:
        """One that was opened in this transaction, and could not be paid: it never asked Shop."""
        never = {"asks": 0, "asked_at": None, "due_at": None}
        values = {"state": State.REJECTED.value, "reason": reason.value, "settled_at": now, **never}
        await self._statements.reject.on(self._connection, {"of_id": purchase_id, **values})

    async def points(self, user_id: str) -> int | None:
        """None: the user is gone."""
        return await self._kept.points.points(self._connection, user_id)

    async def debit(self, user_id: str, points: int) -> int | None:
        """The balance afterwards; None: too few, or no user."""
        return await self._kept.points.debit(self._connection, user_id, points)

    async def credit(self, user_id: str, points: int) -> int | None:
        """The balance afterwards; None: the user is gone."""
        return await self._kept.points.credit(self._connection, user_id, points)

    async def record(self, entry: Entry) -> None:
        """A second one of its kind violates the primary key."""
        await self._statements.record.on(self._connection, rows.entry_values(entry))

    async def settle(
        self, purchase_id: str, event: Event, to: State, reason: Reason | None, now: datetime
    ) -> Purchase | None:
        """One conditional statement: of two answers at once, one finds nothing to change."""
        found = await self._statements.settle[event].on(self._connection, _settled(purchase_id, to, reason, now))
        return rows.purchase(found[0]) if found else None

    async def silence(self, purchase: Purchase) -> Silence:
        """As the outbox knows it."""
        last = await self._confirmed_at(purchase, purchase.asks - 1)
        first = purchase.first_confirmed_at
        if first is None and last is not None:
            first = last if purchase.asks == 1 else await self._confirmed_at(purchase, 0)
        return Silence(purchase.state, first, last, purchase.cancelling_at)

    async def ask(
        self, purchase: Purchase, to: State, due_at: datetime, now: datetime, first_confirmed_at: datetime | None
    ) -> bool:
        """False: the purchase has moved on since it was read."""
        begins = to is State.CANCELLING and purchase.cancelling_at is None
        values: dict[str, object] = {"asks": purchase.asks + 1, "asked_at": now, "due_at": due_at, "state": to.value}
        values |= {"first_confirmed_at": first_confirmed_at, "cancelling_at": now if begins else purchase.cancelling_at}
        return len(await self._statements.ask.on(self._connection, _as_read(purchase) | values)) == 1

    async def look_again(self, purchase: Purchase, due_at: datetime, first_confirmed_at: datetime | None) -> None:
        """Only while it is as it was read."""
        values = {"due_at": due_at, "first_confirmed_at": first_confirmed_at}
        await self._statements.look_again.on(self._connection, _as_read(purchase) | values)

    async def revoke(self, purchase_id: str, now: datetime) -> bool:
        """False: it is not COMPLETED, or revoked already."""
        return len(await self._statements.revoke.on(self._connection, {"of_id": purchase_id, "revoked_at": now})) == 1

    async def send(self, exchange: str, message: Envelope) -> None:
        """Into the outbox."""
        await self._kept.outbox.put(self._connection, exchange, message)

    async def _confirmed_at(self, purchase: Purchase, number: int) -> datetime | None:
        """Also of a command that the outbox has forgotten: what it forgets was confirmed."""
        at = await self._kept.outbox.published_at(self._connection, command_id(purchase.id, number))
        if at is not None:
            return at
        found = await self._statements.asked_at.on(self._connection, {"of_id": purchase.id})
        asked_at: datetime | None = found[0].asked_at if found else None
        oldest = await self.oldest_command()
        since = None if oldest is None else self._kept.clock() - oldest
        return asked_at if asked_at and (since is None or since > asked_at + _SURELY_OUT) else None


def _settled(purchase_id: str, to: State, reason: Reason | None, now: datetime) -> dict[str, object]:
    values = {"state": to.value, "reason": reason and reason.value, "settled_at": now, "due_at": None}
    return {"of_id": purchase_id, **values}


def _as_read(purchase: Purchase) -> dict[str, object]:
    """While nobody has changed it since."""
    return {"of_id": purchase.id, "of_state": purchase.state.value, "of_asks": purchase.asks}
