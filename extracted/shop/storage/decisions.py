"""Stores decisions and what they change, in one transaction with the monolith's own tables."""

import hashlib
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, Protocol

from sqlalchemy import BindParameter, ColumnElement, FromClause, Select, Table, Update, or_, select, update

from chassis.database.database import Database
from chassis.database.prepared import AnyConnection, PreparedInserts, PreparedRows, PreparedStatement
from chassis.messaging.envelope import Envelope
from chassis.outbox.outbox import PUT, Outbox
from extracted.shop.decision import Known, Purchase, SaleDecision, SaleOutcome, SaleRefusal
from extracted.shop.messages import DECISIONS
from extracted.shop.storage.tables import ShopTables, uuid_text

DECIDED: Final = ("purchase_id", "user_id", "item_id", "outcome", "reason", "decided_at")
Id = ColumnElement[str]


class Bought(Protocol):
    """The monolith's record of who has bought what, as parts of SQL statements: one transaction covers both sides.

    Statements are built once; ids are columns of `asked`, the table of the purchases that they are asked about.
    """

    def is_owned(self, asked: FromClause, user_id: Id, item_id: Id) -> ColumnElement[bool]:
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
        ids = {name: uuid_text() for name in ("purchase", "user", "item")}
        self.look = PreparedRows(ids, lambda asked: _look(tables, bought, asked))
        self.take = PreparedStatement(_take(tables.stock))
        self.write = PreparedInserts((tables.decisions, DECIDED), bought.insertion, (outbox.table, PUT))

    @asynccontextmanager
    async def transaction(self, purchases: Sequence[Purchase]) -> AsyncIterator["StoredDecisionTransaction"]:
        """Takes the locks first: an earlier snapshot would miss what the last holders of the locks have committed."""
        locks, is_shared = set(map(_lock_key, purchases)), len(purchases) > 1
        async with self.database.prepared_write(locks, is_shared=is_shared) as connection:
            yield StoredDecisionTransaction(self, connection)
        self.outbox.wake()


class StoredDecisionTransaction:
    """Implements the port DecisionTransaction."""

    def __init__(self, store: StoredDecisions, connection: AnyConnection) -> None:
        self._store = store
        self._connection = connection
        self._decided: list[Mapping[str, object]] = []
        self._sold: list[Mapping[str, object]] = []

    async def known(self, purchases: Sequence[Purchase]) -> Sequence[Known]:
        """Reads with one statement."""
        asked = [{"purchase": one.id, "user": one.user_id, "item": one.item_id} for one in purchases]
        rows = {row.purchase: row for row in await self._store.look.on(self._connection, asked)}
        return [_known(rows[purchase.id]) for purchase in purchases]

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
        self._decided.append(row)
        if decided.outcome is SaleOutcome.DECREASED:
            self._sold.append(self._store.bought.row(purchase.id, purchase.user_id, purchase.item_id, now))

    async def answer(self, envelopes: Sequence[Envelope]) -> None:
        """Writes the messages into the outbox and the recorded rows into their tables, by one statement."""
        answers = [self._store.outbox.row(DECISIONS, envelope) for envelope in envelopes]
        await self._store.write.on(self._connection, self._decided, self._sold, answers)
        self._decided, self._sold = [], []


def _look(tables: ShopTables, bought: Bought, asked: FromClause) -> Select[Any]:
    """Returns a row for each purchase that is asked about, with or without a decision."""
    purchase, user, item = asked.c.purchase, asked.c.user, asked.c.item
    decisions, stock = tables.decisions, tables.stock.c
    limited = select(stock.item_id).where(stock.item_id == item, stock.available.is_not(None)).exists()
    return select(
        purchase,
        decisions,
        bought.is_owned(asked, user, item).label("is_owned"),
        bought.has_user(user).label("has_user"),
        limited.label("is_limited"),
    ).select_from(asked.outerjoin(decisions, decisions.c.purchase_id == purchase))


def _take(stock: Table) -> Update:
    """Takes one of what is left. The item may have become unlimited meanwhile."""
    row = stock.c
    left = or_(row.available > 0, row.available.is_(None))
    less = {"sold": row.sold + 1, "available": row.available - 1}
    taken = update(stock).where(row.item_id == BindParameter[str]("item"), left).values(less)
    return taken.returning(row.item_id)


def _known(row: Any) -> Known:
    decided_for = decided = None
    if row.purchase_id is not None:
        decided_for = Purchase(row.purchase, row.user_id, row.item_id)
        decided = SaleDecision(SaleOutcome(row.outcome), SaleRefusal(row.reason) if row.reason else None)
    return Known(decided_for, decided, row.is_owned, row.has_user, row.is_limited)


def _lock_key(purchase: Purchase) -> int:
    """A signed number of 64 bits. If two pairs have the same key, one waits for the other."""
    pair = f"shop {purchase.user_id} {purchase.item_id}".encode()
    return int.from_bytes(hashlib.blake2b(pair, digest_size=8).digest(), "big", signed=True)
