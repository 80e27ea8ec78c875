"""Stores how many of an item are left."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from sqlalchemy import select, update

from chassis.database.database import Database
from extracted.shop.domain import Quantity
from extracted.shop.storage.tables import ShopTables


class StoredQuantities:
    """Implements the port Quantities. Always: initial + restocked = available + sold."""

    def __init__(self, database: Database, tables: ShopTables, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._tables = tables
        self._clock = clock

    async def find(self, item_id: str) -> Quantity:
        """Unlimited if there is no row."""
        stock = self._tables.stock.c
        async with self._database.look() as connection:
            return Quantity(await connection.scalar(select(stock.available).where(stock.item_id == item_id)))

    async def set(self, item_id: str, quantity: Quantity) -> None:
        """Uses one statement, so a sale at the same time counts as before or as after."""
        statement = self._unlimited(item_id) if quantity.left is None else self._limited(item_id, quantity.left)
        async with self._database.write() as connection:
            await connection.execute(statement)

    def _limited(self, item_id: str, left: int) -> Any:
        stock = self._tables.stock
        row = {"item_id": item_id, "initial": left, "available": left, "changed_at": self._clock()}
        new = self._tables.own.insert(stock).values(row)
        restocked = new.excluded.available + stock.c.sold - stock.c.initial
        changes = {"available": new.excluded.available, "restocked": restocked, "changed_at": new.excluded.changed_at}
        return new.on_conflict_do_update(index_elements=[stock.c.item_id], set_=changes)

    def _unlimited(self, item_id: str) -> Any:
        stock = self._tables.stock
        return update(stock).where(stock.c.item_id == item_id).values(available=None, changed_at=self._clock())
