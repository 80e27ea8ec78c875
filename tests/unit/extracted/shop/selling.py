"""The shop's decisions on real storage: the monolith's tables and the shop's own in one database."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Table, func, select

from chassis.database import migrations
from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.messaging.envelope import Envelope, from_record
from chassis.outbox.outbox import Outbox
from extracted.shop.decision import Purchase
from extracted.shop.messages import to_command
from extracted.shop.service import Sales
from extracted.shop.storage import MIGRATIONS
from extracted.shop.storage.decisions import StoredDecisions
from extracted.shop.storage.quantities import StoredQuantities
from extracted.shop.storage.tables import ShopTables
from legacy_adapter.shop.transactions import LegacySales
from tests.support.monolith.monolith_file import MonolithData
from tests.support.stores import Stores
from tests.unit.extracted.shop.commands import purchase


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Selling:
    """`data`: the monolith's rows."""

    data: MonolithData
    database: Database
    tables: ShopTables
    outbox: Outbox
    sales: Sales
    quantities: StoredQuantities

    def buyer(self, item_id: str = "") -> Purchase:
        """Of a user who is there."""
        wanted = purchase(item_id=item_id)
        self.data.add_user(user_id=wanted.user_id)
        return wanted

    async def asked(self, *messages: Envelope) -> list[tuple[str, object]]:
        """Each handled; what was answered to each of them, in their order."""
        for message in messages:
            await self.sales.decide(to_command(message))
        return await self.answers(*messages)

    async def answers(self, *messages: Envelope) -> list[tuple[str, object]]:
        """Type and reason of what the outbox holds for them, in their order."""
        order = {message.id: place for place, message in enumerate(messages)}
        told = [answer for answer in await self.put() if answer.causation_id in order]
        told.sort(key=lambda answer: order[answer.causation_id or ""])
        return [(answer.type, answer.body.get("reason")) for answer in told]

    async def put(self) -> list[Envelope]:
        """All that the outbox holds, in any order."""
        outbox = self.tables.own.metadata.tables[_named(self.tables.own, "outbox")]
        return [_envelope(row) for row in await self.rows(outbox)]

    async def rows(self, table: Table) -> list[dict[str, Any]]:
        async with self.database.read() as connection:
            return [dict(row._mapping) for row in await connection.execute(select(table))]

    async def stock(self, item_id: str) -> tuple[int, int, int, int | None] | None:
        """initial, restocked, sold, available."""
        stock = self.tables.stock.c
        columns = (stock.initial, stock.restocked, stock.sold, stock.available)
        async with self.database.read() as connection:
            row = (await connection.execute(select(*columns).where(stock.item_id == item_id))).first()
            return None if row is None else (row.initial, row.restocked, row.sold, row.available)

    async def count(self, table: Table) -> int:
        async with self.database.read() as connection:
            return await connection.scalar(select(func.count()).select_from(table)) or 0


@asynccontextmanager
async def selling(stores: Stores) -> AsyncIterator[Selling]:
    """On fresh tables; ten connections."""
    data = MonolithData(stores)
    await migrations.upgrade(stores.database_url, "shop", MIGRATIONS)
    database = Database(stores.database_url, pool_size=10, timeout_s=20)
    try:
        yield assembled(data, database)
    finally:
        await database.aclose()
        data.close()


def assembled(data: MonolithData, database: Database) -> Selling:
    own = OwnTables("shop", database.is_sqlite)
    tables, outbox = ShopTables(own), Outbox(own, now)
    decisions = StoredDecisions(database, tables, outbox, LegacySales(), now)
    return Selling(data, database, tables, outbox, Sales(decisions), StoredQuantities(database, tables, now))


def _named(own: OwnTables, name: str) -> str:
    return f"{own.schema}.{name}" if own.schema else own.name(name)


def _envelope(row: dict[str, Any]) -> Envelope:
    return from_record(json.loads(row["properties"]), row["body"].encode())
