"""Decisions and what they change, in one transaction with the monolith's own tables."""

import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import BindParameter, ColumnElement, Row, Select, Table, Update, literal, or_, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from chassis.inbox import Inbox
from chassis.messaging.envelope import Envelope
from chassis.outbox import Outbox
from extracted.shop.decision import Decision, Known, Outcome, Purchase, Reason
from extracted.shop.messages import COMMANDS, DECISIONS
from extracted.shop.storage.tables import ShopTables

_LOCK = text("SELECT pg_advisory_xact_lock(:key)")
Id = BindParameter[str]


class Bought(Protocol):
    """Who has bought what, as the monolith keeps it: parts of statements, since one transaction has to cover both.

    Statements are put together once; ids come as their parameters.
    """

    def is_owned(self, user_id: Id, item_id: Id) -> ColumnElement[bool]:
        """There is a live row, whoever wrote it."""
        ...

    def has_user(self, user_id: Id) -> ColumnElement[bool]:
        """And the user stays until the end of the transaction."""
        ...

    async def add(self, connection: AsyncConnection, row_id: str, user_id: str, item_id: str, now: datetime) -> None:
        """A live row."""
        ...


class StoredDecisions:
    """Implements the port Decisions."""

    def __init__(
        self,
        database: Database,
        tables: ShopTables,
        outbox: Outbox,
        inbox: Inbox,
        bought: Bought,
        clock: Callable[[], datetime],
    ) -> None:
        self.database = database
        self.tables = tables
        self.outbox = outbox
        self.inbox = inbox
        self.bought = bought
        self.clock = clock
        self.look = _look(tables, bought)
        self.take = _take(tables.stock)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator["DecidingTransaction"]:
        """The relay is woken after the commit."""
        async with self.database.write() as connection:
            yield DecidingTransaction(self, connection)
        self.outbox.wake()


class DecidingTransaction:
    """Implements the port Deciding."""

    def __init__(self, store: StoredDecisions, connection: AsyncConnection) -> None:
        self._store = store
        self._connection = connection
        self._tables = store.tables

    async def first(self, message_id: str) -> bool:
        """By the inbox."""
        return await self._store.inbox.first(self._connection, COMMANDS, message_id)

    async def known(self, purchase: Purchase) -> Known:
        """By one statement after the lock: a snapshot of before it would miss what its last holder has committed."""
        if not self._tables.own.is_sqlite:  # there BEGIN IMMEDIATE has locked the whole database
            await self._connection.execute(_LOCK, {"key": _lock_key(purchase)})
        ids = {"purchase": purchase.id, "user": purchase.user_id, "item": purchase.item_id}
        return _known((await self._connection.execute(self._store.look, ids)).one(), purchase.id)

    async def take(self, item_id: str) -> bool:
        """By one conditional update."""
        return (await self._connection.execute(self._store.take, {"item": item_id})).rowcount == 1

    async def record(self, purchase: Purchase, decided: Decision) -> None:
        """Fails where there is one."""
        now = self._store.clock()
        row = {
            "purchase_id": purchase.id,
            "user_id": purchase.user_id,
            "item_id": purchase.item_id,
            "outcome": decided.outcome,
            "reason": decided.reason,
            "decided_at": now,
        }
        await self._connection.execute(self._tables.decisions.insert(), row)
        if decided.outcome is Outcome.DECREASED:
            ids = (purchase.id, purchase.user_id, purchase.item_id)
            await self._store.bought.add(self._connection, *ids, now)

    async def answer(self, envelope: Envelope) -> None:
        """Into the outbox."""
        await self._store.outbox.put(self._connection, DECISIONS, envelope)


def _look(tables: ShopTables, bought: Bought) -> Select[Any]:
    """One row, whether there is a decision or not."""
    purchase, user, item = (BindParameter[str](name) for name in ("purchase", "user", "item"))
    decisions, stock = tables.decisions, tables.stock.c
    limited = select(stock.item_id).where(stock.item_id == item, stock.available.is_not(None)).exists()
    one = select(literal(1).label("one")).subquery("one")
    return select(
        decisions,
        bought.is_owned(user, item).label("is_owned"),
        bought.has_user(user).label("has_user"),
        limited.label("is_limited"),
    ).select_from(one.outerjoin(decisions, decisions.c.purchase_id == purchase))


def _take(stock: Table) -> Update:
    """One of what is left; somebody may have made the item unlimited meanwhile."""
    row = stock.c
    left = or_(row.available > 0, row.available.is_(None))
    less = {"sold": row.sold + 1, "available": row.available - 1}
    return update(stock).where(row.item_id == BindParameter[str]("item"), left).values(less)


def _known(row: Row[Any], purchase_id: str) -> Known:
    decided_for = decided = None
    if row.purchase_id is not None:
        decided_for = Purchase(purchase_id, row.user_id, row.item_id)
        decided = Decision(Outcome(row.outcome), Reason(row.reason) if row.reason else None)
    return Known(decided_for, decided, row.is_owned, row.has_user, row.is_limited)


def _lock_key(purchase: Purchase) -> int:
    """64 bits, signed; two pairs with one key only wait for each other."""
    pair = f"shop {purchase.user_id} {purchase.item_id}".encode()
    return int.from_bytes(hashlib.blake2b(pair, digest_size=8).digest(), "big", signed=True)
