"""The shop's ports on the monolith's data: items are documents, purchases are rows of `transactions`."""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime

from sqlalchemy import ARRAY, bindparam, func, select, tuple_

from chassis.database.database import Database
from chassis.database.prepared import Prepared
from extracted.shop.domain import Item, ItemFields, ItemSelection, Transaction, TransactionRow, Transactions
from legacy_adapter.documents.documents import Document, DocumentStore, Selection
from legacy_adapter.sql_page import heap_order
from legacy_adapter.tables import transactions

_COLLECTION = "items"
_ROW = transactions.c
_LIVE = select(_ROW.id, _ROW.user_id, _ROW.item_id.label("item_id")).where(_ROW.deleted_at.is_(None))
_OF_LIST = Prepared(_LIVE.where(tuple_(_ROW.user_id, _ROW.item_id).in_(bindparam("pairs", expanding=True))))
_ARRAYS = (bindparam("users", type_=ARRAY(_ROW.user_id.type)), bindparam("items", type_=ARRAY(_ROW.item_id.type)))
_OF_ARRAYS = Prepared(
    _LIVE.where(tuple_(_ROW.user_id, _ROW.item_id).in_(select(*(func.unnest(array) for array in _ARRAYS))))
)


class LegacyItems:
    """Implements the port Items."""

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents

    async def find(self, item_id: str) -> Item | None:
        """By public id, exactly as spelled."""
        document = await self._documents.find_one(_COLLECTION, item_id)
        return None if document is None else _item(document)

    async def find_all(self, item_ids: Collection[str]) -> Mapping[str, Item]:
        """By public ids, exactly as spelled."""
        found = await self._documents.find(_COLLECTION, Selection({"id": item_ids}, limit=len(item_ids)))
        return {document["id"]: _item(document) for document in found}

    async def select(self, selection: ItemSelection) -> Sequence[Item]:
        """One page."""
        equals = {} if selection.types is None else {"type": selection.types}
        descending = {} if selection.cost_descending is None else {"cost": selection.cost_descending}
        found = await self._documents.find(
            _COLLECTION, Selection(equals, descending, selection.offset, selection.limit)
        )
        return [_item(document) for document in found]

    async def add(self, item_id: str, fields: ItemFields) -> Item:
        """The fields of a new item have the names that the monolith's document gives them."""
        return _item(await self._documents.add(_COLLECTION, {**fields, "id": item_id}))

    async def change(self, item_id: str, fields: ItemFields) -> Item | None:
        """One `$set`."""
        document = await self._documents.set_fields(_COLLECTION, item_id, fields)
        return None if document is None else _item(document)

    async def remove(self, item_id: str) -> bool:
        """The document itself, as the monolith does."""
        return await self._documents.remove(_COLLECTION, item_id)


class LegacyPurchases:
    """Implements the port Purchases: a row counts while it is not deleted, whoever wrote it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def live(self, pairs: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], str]:
        """By one statement; of several rows of a pair, which the monolith's race can leave, any."""
        if self._database.is_sqlite:
            rows = await self._database.once(_OF_LIST, {"pairs": list(pairs)}, writes=False)
        else:
            users, items = [user for user, _item in pairs], [item for _user, item in pairs]
            rows = await self._database.once(_OF_ARRAYS, {"users": users, "items": items}, writes=False)
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

    async def rows(self, after: str | None, limit: int) -> Sequence[TransactionRow]:
        """Implements the port TransactionRecords: the primary key tells where a page begins."""
        row = transactions.c
        page = select(row.id, row.user_id, row.item_id, row.created_at, row.deleted_at).order_by(row.id).limit(limit)
        page = page if after is None else page.where(row.id > after)
        async with self._database.look() as connection:
            return [_row(*one) for one in await connection.execute(page)]


def _row(
    row_id: str, user_id: str | None, item_id: str | None, created_at: datetime, deleted_at: datetime | None
) -> TransactionRow:
    """SQLite has no zones: the time there is UTC."""
    deleted = deleted_at and _zoned(deleted_at)
    return TransactionRow(row_id, user_id, item_id, _zoned(created_at), deleted)


def _zoned(time: datetime) -> datetime:
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _item(document: Document) -> Item:
    return Item(document["id"], document["cost"], document["type"], document["data"])
