"""What operators read and change, in addition to what a purchase needs."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime

from sqlalchemy import func, insert, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from extracted.account.purchases.domain.purchase import LedgerEntry, Purchase
from extracted.account.purchases.domain.saga import OPEN, PurchaseState
from extracted.account.purchases.operator_ports import Breach, Intervention, PurchaseFilter
from extracted.account.purchases.storage import audit, rows
from extracted.account.purchases.storage.audit import SoldRows
from extracted.account.purchases.storage.purchases import SqlPurchaseUnitOfWork, TransactionContext


class SqlOperatorStore:
    """Implements the port OperatorStore."""

    def __init__(self, database: Database, context: TransactionContext, bought: SoldRows) -> None:
        self._database = database
        self._context = context
        self._bought = bought

    @asynccontextmanager
    async def read(self) -> AsyncIterator["SqlOperatorUnitOfWork"]:
        """One state of the data."""
        async with self._database.read() as connection:
            yield SqlOperatorUnitOfWork(connection, self._context, self._bought)

    @asynccontextmanager
    async def write(self) -> AsyncIterator["SqlOperatorUnitOfWork"]:
        """Commits when its block ends without an exception."""
        async with self._database.write() as connection:
            yield SqlOperatorUnitOfWork(connection, self._context, self._bought)

    def sent(self) -> None:
        """Wakes the relay of this process."""
        self._context.outbox.wake()


class SqlOperatorUnitOfWork(SqlPurchaseUnitOfWork):
    """Implements the port OperatorUnitOfWork on one connection."""

    def __init__(self, connection: AsyncConnection, context: TransactionContext, bought: SoldRows) -> None:
        super().__init__(connection, context)
        self._engine, self._tables = connection, context.tables
        self._bought = bought

    async def listed(self, selection: PurchaseFilter) -> Sequence[Purchase]:
        """The oldest first."""
        table = self._tables.purchases
        found = select(table).order_by(table.c.created_at, table.c.id).limit(selection.limit)
        if selection.states:
            found = found.where(table.c.state.in_([state.value for state in selection.states]))
        if selection.older_than is not None:
            found = found.where(table.c.created_at < selection.older_than)
        if selection.after is not None:
            last = select(table.c.created_at, table.c.id).where(table.c.id == selection.after)
            found = found.where(tuple_(table.c.created_at, table.c.id) > last.scalar_subquery())
        return [rows.purchase(row) for row in await self._engine.execute(found)]

    async def counts(self) -> dict[PurchaseState, int]:
        """Counts open purchases."""
        table = self._tables.purchases
        counted = select(table.c.state, func.count()).where(table.c.due_at.is_not(None)).group_by(table.c.state)
        found = {row[0]: row[1] for row in await self._engine.execute(counted)}
        return {state: found.get(state.value, 0) for state in sorted(OPEN)}

    async def oldest_open(self) -> datetime | None:
        """Uses the index of due purchases."""
        one = self._tables.purchases.c
        oldest: datetime | None = await self._engine.scalar(
            select(func.min(one.created_at)).where(one.due_at.is_not(None))
        )
        return oldest

    async def ledger_of(self, purchase_id: str) -> Sequence[LedgerEntry]:
        """In the order of time."""
        table = self._tables.ledger
        lines = select(table).where(table.c.purchase_id == purchase_id).order_by(table.c.at, table.c.kind)
        return [rows.entry(row) for row in await self._engine.execute(lines)]

    async def interventions_of(self, purchase_id: str) -> Sequence[Intervention]:
        """In the order of time."""
        table = self._tables.interventions
        done = select(table).where(table.c.purchase_id == purchase_id).order_by(table.c.at)
        found = await self._engine.execute(done)
        return [Intervention(row.purchase_id, row.action, row.why, row.at, row.by, row.id) for row in found]

    async def breaches(self, opened_before: datetime, limit: int) -> Sequence[Breach]:
        """At most `limit` per kind."""
        found = []
        for kind, statement in audit.statements(self._tables, self._bought, opened_before):
            ids = await self._engine.scalars(statement.limit(limit))
            found += [Breach(kind, id) for id in ids]
        return found

    async def is_charged_twice(self, purchase_id: str) -> bool:
        """The monolith sold the item, too, and the purchase was not refunded for that."""
        one = self._tables.purchases.c.id
        found = audit.charged_twice(self._tables, self._bought).where(one == purchase_id)
        return await self._engine.scalar(found) is not None

    async def intervene(self, intervention: Intervention) -> None:
        """Stores the intervention."""
        row = {
            "id": intervention.id,
            "purchase_id": intervention.purchase_id,
            "action": str(intervention.action),
            "why": intervention.why,
            "at": intervention.at,
            "by": intervention.by,
        }
        await self._engine.execute(insert(self._tables.interventions), row)
