"""The store of purchases: one transaction over Account's tables, the points, the inbox and the outbox."""

from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from chassis.batcher import Batcher, GatherPace
from chassis.database.database import Database
from chassis.database.prepared import AnyConnection
from chassis.messaging.envelope import Envelope
from chassis.outbox.outbox import Outbox
from extracted.account.purchases import messages
from extracted.account.purchases.domain.purchase import (
    DEBIT,
    FailureReason,
    LedgerEntry,
    Purchase,
    RequestOutcome,
    RequestRecord,
    command_id,
)
from extracted.account.purchases.domain.saga import CommandTimes, PurchaseEvent, PurchaseState
from extracted.account.purchases.ports import NewPurchase, Payment, PurchaseReader, PurchaseUnitOfWork
from extracted.account.purchases.storage import rows
from extracted.account.purchases.storage.statements import PurchaseStatements
from extracted.account.purchases.storage.tables import PurchaseTables

PACE: Final = GatherPace(least_s=0.005, most_s=0.05, calls=8)
"""How long a request to buy waits for others under load; they then stay together until their commit."""
_SURELY_OUT = timedelta(seconds=1)


class Points(Protocol):
    """Where balances are stored, in the same database."""

    async def points(self, connection: AnyConnection, user_id: str) -> int | None:
        """None: there is no such user."""
        ...

    async def debit(self, connection: AnyConnection, points: Mapping[str, int]) -> Mapping[str, int]:
        """`points`: by user id. The balances afterwards, without users who have too few or are gone."""
        ...

    async def credit(self, connection: AnyConnection, user_id: str, points: int) -> int | None:
        """The balance afterwards; None: there is no such user."""
        ...


@dataclass(frozen=True, slots=True)
class TransactionContext:
    """What every transaction works on; one per process."""

    tables: PurchaseTables
    statements: PurchaseStatements
    points: Points
    outbox: Outbox
    clock: Callable[[], datetime]


class SqlPurchaseStore:
    """Implements the port PurchaseStore."""

    def __init__(self, database: Database, context: TransactionContext) -> None:
        self._database = database
        self._context = context
        self._pairs = Batcher(self._all_blocking, pace=PACE)

    @asynccontextmanager
    async def read(self) -> AsyncIterator[PurchaseReader]:
        """One state of the data."""
        async with self._database.read() as connection:
            yield SqlPurchaseUnitOfWork(connection, self._context)

    @asynccontextmanager
    async def look(self) -> AsyncIterator[PurchaseReader]:
        """For one statement."""
        async with self._database.prepared_look() as connection:
            yield SqlPurchaseUnitOfWork(connection, self._context)

    async def blocking(self, user_id: str, item_id: str) -> Purchase | None:
        """Reads what is asked at one moment by one statement."""
        return await self._pairs.answer((user_id, item_id))

    async def _all_blocking(self, pairs: Sequence[tuple[str, str]]) -> Sequence[Purchase | None]:
        async with self._database.prepared_look() as connection:
            found = await SqlPurchaseUnitOfWork(connection, self._context).all_blocking(pairs)
        return [found.get(pair) for pair in pairs]

    @asynccontextmanager
    async def write(self, *, is_shared: bool = False) -> AsyncIterator[PurchaseUnitOfWork]:
        """Commits when its block ends without an exception."""
        async with self._database.prepared_write(is_shared=is_shared) as connection:
            yield SqlPurchaseUnitOfWork(connection, self._context)

    def sent(self) -> None:
        """Wakes the relay of this process."""
        self._context.outbox.wake()


class SqlPurchaseUnitOfWork:
    """Implements the port PurchaseUnitOfWork on one connection."""

    def __init__(self, connection: AnyConnection, context: TransactionContext) -> None:
        self._connection = connection
        self._context = context
        self._statements = context.statements

    async def request(self, message_id: str) -> RequestRecord | None:
        """By the id of its message."""
        found = await self._statements.request.on(self._connection, {"of_id": message_id})
        return rows.request(found[0]) if found else None

    async def find(self, purchase_id: str) -> Purchase | None:
        """By its own id."""
        found = await self._statements.find.on(self._connection, {"of_id": purchase_id})
        return rows.purchase(found[0]) if found else None

    async def blocking(self, user_id: str, item_id: str) -> Purchase | None:
        """The unique index allows one."""
        return (await self.all_blocking([(user_id, item_id)])).get((user_id, item_id))

    async def all_blocking(self, pairs: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Purchase]:
        """(user, item) → the purchase that blocks."""
        asked = [{"user_id": user, "item_id": item} for user, item in set(pairs)]
        found = map(rows.purchase, await self._statements.blocking.on(self._connection, asked))
        return {(purchase.user_id, purchase.item_id): purchase for purchase in found}

    async def oldest_command(self) -> timedelta | None:
        """Asks the outbox."""
        return await self._context.outbox.oldest_unpublished(self._connection, messages.COMMANDS_EXCHANGE)

    async def due(self, now: datetime, within: timedelta, limit: int) -> Sequence[Purchase]:
        """A purchase that is due much later than `within` was written before the clock was put back."""
        which = {"of_now": now, "of_late": now + 2 * within, "of_limit": limit}
        return [rows.purchase(row) for row in await self._statements.due.on(self._connection, which)]

    async def add_requests(self, requests: Sequence[RequestRecord]) -> Collection[str]:
        """On PostgreSQL it waits for the end of a transaction that adds the same message."""
        added = await self._statements.add_requests.on(self._connection, [*map(rows.request_values, requests)])
        return {row.id for row in added}

    async def change_request(self, message_id: str, outcome: RequestOutcome, purchase_id: str | None) -> None:
        """Changes outcome and purchase."""
        values = {"of_id": message_id, "outcome": outcome.value, "purchase_id": purchase_id}
        await self._statements.change_request.on(self._connection, values)

    async def pay(self, exchange: str, new: Sequence[NewPurchase]) -> Mapping[str, Payment]:
        """On PostgreSQL it waits for the end of a transaction that opens a purchase of the same user and item."""
        opening = [{**rows.values(one.purchase), "due_at": one.due_at} for one in new]
        opened = {row.id for row in await self._statements.open.on(self._connection, opening)}
        prices = {one.purchase.user_id: one.purchase.price for one in new if one.purchase.id in opened}
        balances = await self._context.points.debit(self._connection, prices)
        paid = [one for one in new if one.purchase.id in opened and one.purchase.user_id in balances]
        entries = [_debit(one.purchase, balances.get(one.purchase.user_id)) for one in paid]
        commands = [self._context.outbox.row(exchange, one.command) for one in paid]
        await self._statements.record.on(self._connection, [*map(rows.entry_values, entries)], commands)
        return {one.id: Payment(one.id in opened, balances.get(one.user_id)) for one in (each.purchase for each in new)}

    async def reject(self, purchase_id: str, reason: FailureReason, now: datetime) -> None:
        """It never asked Shop."""
        never_asked = {"asks": 0, "asked_at": None, "due_at": None}
        values = {"state": PurchaseState.REJECTED.value, "reason": reason.value, "settled_at": now, **never_asked}
        await self._statements.reject.on(self._connection, {"of_id": purchase_id, **values})

    async def points(self, user_id: str) -> int | None:
        """None: the user is deleted."""
        return await self._context.points.points(self._connection, user_id)

    async def credit(self, user_id: str, points: int) -> int | None:
        """The balance afterwards; None: the user is deleted."""
        return await self._context.points.credit(self._connection, user_id, points)

    async def record(self, entry: LedgerEntry) -> None:
        """A second entry of its kind violates the primary key."""
        await self._statements.record.on(self._connection, [rows.entry_values(entry)], [])

    async def settle(
        self, event: PurchaseEvent, to: PurchaseState, reasons: Mapping[str, FailureReason | None], now: datetime
    ) -> Sequence[Purchase]:
        """One conditional statement: of two answers at once, one finds nothing to change."""
        decided = {"state": to.value, "settled_at": now}
        settled = [{"id": id, "reason": reason and reason.value, **decided} for id, reason in sorted(reasons.items())]
        return [*map(rows.purchase, await self._statements.settle[event].on(self._connection, settled))]

    async def command_times(self, purchase: Purchase) -> CommandTimes:
        """As the outbox knows them."""
        last = await self._confirmed_at(purchase, purchase.asks - 1)
        first = purchase.first_confirmed_at
        if first is None and last is not None:
            first = last if purchase.asks == 1 else await self._confirmed_at(purchase, 0)
        return CommandTimes(purchase.state, first, last, purchase.cancelling_at)

    async def count_command(
        self,
        purchase: Purchase,
        to: PurchaseState,
        due_at: datetime,
        now: datetime,
        first_confirmed_at: datetime | None,
    ) -> bool:
        """One conditional statement."""
        begins = to is PurchaseState.CANCELLING and purchase.cancelling_at is None
        values: dict[str, object] = {"asks": purchase.asks + 1, "asked_at": now, "due_at": due_at, "state": to.value}
        values |= {"first_confirmed_at": first_confirmed_at, "cancelling_at": now if begins else purchase.cancelling_at}
        return len(await self._statements.count_command.on(self._connection, _as_read(purchase) | values)) == 1

    async def postpone(self, purchase: Purchase, due_at: datetime, first_confirmed_at: datetime | None) -> None:
        """One conditional statement."""
        values = {"due_at": due_at, "first_confirmed_at": first_confirmed_at}
        await self._statements.postpone.on(self._connection, _as_read(purchase) | values)

    async def revoke(self, purchase_id: str, now: datetime) -> bool:
        """One conditional statement."""
        return len(await self._statements.revoke.on(self._connection, {"of_id": purchase_id, "revoked_at": now})) == 1

    async def send(self, exchange: str, message: Envelope) -> None:
        """Puts the message into the outbox."""
        await self._context.outbox.put(self._connection, exchange, message)

    async def _confirmed_at(self, purchase: Purchase, number: int) -> datetime | None:
        """Also of a command whose row the outbox has pruned: it prunes only confirmed rows."""
        at = await self._context.outbox.published_at(self._connection, command_id(purchase.id, number))
        if at is not None:
            return at
        found = await self._statements.asked_at.on(self._connection, {"of_id": purchase.id})
        asked_at: datetime | None = found[0].asked_at if found else None
        oldest = await self.oldest_command()
        since = None if oldest is None else self._context.clock() - oldest
        return asked_at if asked_at and (since is None or since > asked_at + _SURELY_OUT) else None


def _debit(purchase: Purchase, balance: int | None) -> LedgerEntry:
    return LedgerEntry(purchase.id, DEBIT, -purchase.price, balance, purchase.created_at)


def _as_read(purchase: Purchase) -> dict[str, object]:
    """The condition that nobody has changed the purchase since it was read."""
    return {"of_id": purchase.id, "of_state": purchase.state.value, "of_asks": purchase.asks}
