"""Reads pages of stored rows, for audits."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Column, Select, select

from chassis.database.database import Database
from extracted.shop.domain import DecisionRow, StockRow
from extracted.shop.storage.tables import ShopTables


class StoredAuditRecords:
    """Implements the port AuditRecords."""

    def __init__(self, database: Database, tables: ShopTables) -> None:
        self._database = database
        self._tables = tables

    async def decisions(self, after: str | None, limit: int) -> Sequence[DecisionRow]:
        """In the order of the primary key."""
        row = self._tables.decisions.c
        columns = (row.purchase_id, row.user_id, row.item_id, row.outcome, row.reason, row.decided_at)
        return [DecisionRow(*one) for one in await self._page(row.purchase_id, columns, after, limit)]

    async def stock(self, after: str | None, limit: int) -> Sequence[StockRow]:
        """In the order of the primary key."""
        row = self._tables.stock.c
        columns = (row.item_id, row.initial, row.restocked, row.sold, row.available)
        return [StockRow(*one) for one in await self._page(row.item_id, columns, after, limit)]

    async def _page(
        self, key: Column[Any], columns: tuple[Column[Any], ...], after: str | None, limit: int
    ) -> Sequence[Any]:
        page: Select[Any] = select(*columns).order_by(key).limit(limit)
        async with self._database.look() as connection:
            return list(await connection.execute(page if after is None else page.where(key > after)))
