"""The shop's ports on the monolith's table `transactions`: who has bought what."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import ARRAY, ColumnElement, FromClause, Table, bindparam, func, select, tuple_

from chassis.database.database import Database
from chassis.database.prepared import PreparedStatement
from extracted.shop.domain import OwnedItems, Transaction, TransactionRow, Transactions
from legacy_adapter.pages import heap_order
from legacy_adapter.tables import transactions, users

_ROW = transactions.c
_LIVE = select(_ROW.id, _ROW.user_id, _ROW.item_id.label("item_id")).where(_ROW.deleted_at.is_(None))
_OF_LIST = PreparedStatement(_LIVE.where(tuple_(_ROW.user_id, _ROW.item_id).in_(bindparam("pairs", expanding=True))))
_ARRAYS = (bindparam("users", type_=ARRAY(_ROW.user_id.type)), bindparam("items", type_=ARRAY(_ROW.item_id.type)))
_OF_ARRAYS = PreparedStatement(
    _LIVE.where(tuple_(_ROW.user_id, _ROW.item_id).in_(select(*(func.unnest(array) for array in _ARRAYS))))
)


class LegacyPurchases:
    """Implements the ports Purchases and TransactionRecords. A row counts until it is deleted, whoever wrote it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def live(self, pairs: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """One statement. The monolith's race can leave several rows of a pair: it returns any of them."""
        if self._database.is_sqlite:
            rows = await self._database.execute(_OF_LIST, {"pairs": list(pairs)}, writes=False)
        else:
            users, items = [user for user, _item in pairs], [item for _user, item in pairs]
            rows = await self._database.execute(_OF_ARRAYS, {"users": users, "items": items}, writes=False)
        return {(row.user_id, row.item_id): row.id for row in rows}

    async def page(self, offset: int, limit: int) -> Transactions:
        """Two statements on one state of the table."""
        row = transactions.c
        live = row.deleted_at.is_(None)
        rows = select(row.id, row.user_id, row.item_id).where(live).offset(offset).limit(limit)
        async with self._database.read() as connection:
            total = await connection.scalar(select(func.count()).select_from(transactions).where(live))
            found = await connection.execute(rows.order_by(*heap_order(connection, transactions)))
            return Transactions([Transaction(*one) for one in found], total or 0)

    async def items_of(self, user_id: str, offset: int, limit: int) -> OwnedItems:
        """The monolith's race can leave several rows of an item: it counts once, with the latest."""
        row = transactions.c
        own = select(row.item_id).where(row.user_id == user_id, row.deleted_at.is_(None)).group_by(row.item_id)
        page = own.order_by(func.max(row.created_at).desc(), row.item_id).offset(offset).limit(limit)
        async with self._database.read() as connection:
            total = await connection.scalar(select(func.count()).select_from(own.subquery()))
            return OwnedItems([*await connection.scalars(page)], total or 0)

    async def rows(self, after: str | None, limit: int) -> Sequence[TransactionRow]:
        """One page in the order of the primary key."""
        row = transactions.c
        page = select(row.id, row.user_id, row.item_id, row.created_at, row.deleted_at).order_by(row.id).limit(limit)
        page = page if after is None else page.where(row.id > after)
        async with self._database.look() as connection:
            return [_row(*one) for one in await connection.execute(page)]


def _row(
    row_id: str, user_id: str | None, item_id: str | None, created_at: datetime, deleted_at: datetime | None
) -> TransactionRow:
    """SQLite stores no zones; its times are UTC."""
    deleted = deleted_at and _zoned(deleted_at)
    return TransactionRow(row_id, user_id, item_id, _zoned(created_at), deleted)


def _zoned(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


class LegacySales:
    """Implements the port Bought, as parts of the shop's statements; ids in canonical form."""

    def is_owned(
        self, asked: FromClause, user_id: ColumnElement[str], item_id: ColumnElement[str]
    ) -> ColumnElement[bool]:
        """There is a row that is not deleted. The table has no index for it: it is read once for all that is asked."""
        wanted, pair = select(user_id, item_id).select_from(asked).correlate(None), tuple_(_ROW.user_id, _ROW.item_id)
        live = select(_ROW.user_id, _ROW.item_id).where(_ROW.deleted_at.is_(None), pair.in_(wanted))
        return tuple_(user_id, item_id).in_(live.correlate(None))

    def has_user(self, user_id: ColumnElement[str]) -> ColumnElement[bool]:
        """Locks the user as a foreign key does: points may change meanwhile, the user cannot be deleted."""
        held = select(users.c.id).where(users.c.id == user_id).with_for_update(read=True, key_share=True)
        return held.exists()

    @property
    def insertion(self) -> tuple[Table, Sequence[str]]:
        """The table, and the columns of a live row."""
        return transactions, ("id", "user_id", "item_id", "created_at", "updated_at")

    def row(self, row_id: str, user_id: str, item_id: str, now: datetime) -> Mapping[str, object]:
        """The values of these columns."""
        return {"id": row_id, "user_id": user_id, "item_id": item_id, "created_at": now, "updated_at": now}
