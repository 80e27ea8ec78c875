"""Stores decisions and what they change, in one transaction with the monolith's own tables."""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import (
    BindParameter,
    ColumnElement,
    Select,
    Table,
    Update,
    literal,
    or_,
    select,
    update,
)

from chassis.database.database import Database
from chassis.database.prepared import AnyConnection, PreparedInserts, PreparedStatement
from chassis.messaging.envelope import Envelope
from chassis.outbox.outbox import PUT, Outbox
from extracted.shop.decision import Known, Purchase, SaleDecision, SaleOutcome, SaleRefusal
from extracted.shop.messages import DECISIONS
from extracted.shop.storage.tables import ShopTables, uuid_text

DECIDED: Final = ("purchase_id", "user_id", "item_id", "outcome", "reason", "decided_at")
Id = BindParameter[str]


class Bought(Protocol):
    """The monolith's record of who has bought what, as parts of SQL statements: one transaction covers both sides.

    Statements are built once; ids are their parameters.
    """

    def is_owned(self, user_id: Id, item_id: Id) -> ColumnElement[bool]:
        """True if there is a live row, whoever wrote it."""
        ...

    def has_user(self, user_id: Id) -> ColumnElement[bool]:
        """True if the user exists; the user then stays until the end of the transaction."""
        ...

    @property
    def insertion(self) -> tuple[Table, Sequence[str]]:
        """The table of live rows, and the columns to write."""
        ...

    def row(self, row_id: str, user_id: str, item_id: str, now: datetime) -> Mapping[str, object]:
        """The values of these columns."""
        ...


class StoredDecisions:
    """Implements the port Decisions."""

    def __init__(
        self,
        database: Database,
        tables: ShopTables,
        outbox: Outbox,
        bought: Bought,
        clock: Callable[[], datetime],
    ) -> None:
        self.database = database
        self.tables = tables
        self.outbox = outbox
        self.bought = bought
        self.clock = clock
        self.look = PreparedStatement(_look(tables, bought))
        self.take = PreparedStatement(_take(tables.stock))
        decided, out = (tables.decisions, DECIDED), (outbox.table, PUT)
        self.answered = PreparedInserts(out)
        self.refused = PreparedInserts(decided, out)
        self.sold = PreparedInserts(decided, bought.insertion, out)

    @asynccontextmanager
    async def transaction(self, purchase: Purchase) -> AsyncIterator["StoredDecisionTransaction"]:
        """Takes the lock first: an earlier snapshot would miss what the last holder of the lock has committed."""
        async with self.database.prepared_write(lock=_lock_key(purchase)) as connection:
            yield StoredDecisionTransaction(self, connection)
        self.outbox.wake()


class StoredDecisionTransaction:
    """Implements the port DecisionTransaction."""

    def __init__(self, store: StoredDecisions, connection: AnyConnection) -> None:
        self._store = store
        self._connection = connection
        self._unwritten: list[Mapping[str, object]] = []

    async def known(self, purchase: Purchase) -> Known:
        """Reads with one statement."""
        ids = {"purchase": purchase.id, "user": purchase.user_id, "item": purchase.item_id}
        (row,) = await self._store.look.on(self._connection, ids)
        return _known(row, purchase.id)

    async def take(self, item_id: str) -> bool:
        """Updates only if one is left."""
        return len(await self._store.take.on(self._connection, {"item": item_id})) == 1

    async def record(self, purchase: Purchase, decided: SaleDecision) -> None:
        """Is written together with the answer, which fails if there is a decision already."""
        now = self._store.clock()
        row = {
            "purchase_id": purchase.id,
            "user_id": purchase.user_id,
            "item_id": purchase.item_id,
            "outcome": decided.outcome,
            "reason": decided.reason,
            "decided_at": now,
        }
        self._unwritten = [row]
        if decided.outcome is SaleOutcome.DECREASED:
            self._unwritten.append(self._store.bought.row(purchase.id, purchase.user_id, purchase.item_id, now))

    async def answer(self, envelope: Envelope) -> None:
        """Writes the message into the outbox and the recorded rows into their tables, by one statement."""
        store, rows = self._store, [*self._unwritten, self._store.outbox.row(DECISIONS, envelope)]
        self._unwritten = []
        inserts = (store.answered, store.refused, store.sold)[len(rows) - 1]
        await inserts.on(self._connection, *rows)


def _look(tables: ShopTables, bought: Bought) -> Select[Any]:
    """Returns one row, with or without a decision."""
    purchase, user, item = (BindParameter[str](name, type_=uuid_text()) for name in ("purchase", "user", "item"))
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
    """Takes one of what is left. The item may have become unlimited meanwhile."""
    row = stock.c
    left = or_(row.available > 0, row.available.is_(None))
    less = {"sold": row.sold + 1, "available": row.available - 1}
    taken = update(stock).where(row.item_id == BindParameter[str]("item"), left).values(less)
    return taken.returning(row.item_id)


def _known(row: Any, purchase_id: str) -> Known:
    decided_for = decided = None
    if row.purchase_id is not None:
        decided_for = Purchase(purchase_id, row.user_id, row.item_id)
        decided = SaleDecision(SaleOutcome(row.outcome), SaleRefusal(row.reason) if row.reason else None)
    return Known(decided_for, decided, row.is_owned, row.has_user, row.is_limited)


def _lock_key(purchase: Purchase) -> int:
    """A signed number of 64 bits. If two pairs have the same key, one waits for the other."""
    pair = f"shop {purchase.user_id} {purchase.item_id}".encode()
    return int.from_bytes(hashlib.blake2b(pair, digest_size=8).digest(), "big", signed=True)
