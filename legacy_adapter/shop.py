"""The shop's ports on the monolith's data: items are documents, purchases are rows of `transactions`."""

from collections.abc import Sequence

from sqlalchemy import exists, select

from chassis.database import Database
from extracted.shop.domain import Item, ItemSelection
from legacy_adapter.documents import Document, DocumentStore, Selection
from legacy_adapter.tables import transactions

_COLLECTION = "items"


class LegacyItems:
    """Implements the port Items."""

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents

    async def find(self, item_id: str) -> Item | None:
        """By public id, exactly as spelled."""
        document = await self._documents.find_one(_COLLECTION, item_id)
        return None if document is None else _item(document)

    async def select(self, selection: ItemSelection) -> Sequence[Item]:
        """One page."""
        equals = {} if selection.types is None else {"type": selection.types}
        descending = {} if selection.cost_descending is None else {"cost": selection.cost_descending}
        found = await self._documents.find(
            _COLLECTION, Selection(equals, descending, selection.offset, selection.limit)
        )
        return [_item(document) for document in found]


class LegacyPurchases:
    """Implements the port Purchases: a row counts while it is not deleted, whoever wrote it."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def has(self, user_id: str, item_id: str) -> bool:
        """Both ids in canonical form."""
        row = transactions.c
        live = (row.user_id == user_id, row.item_id == item_id, row.deleted_at.is_(None))
        async with self._database.read() as connection:
            return bool(await connection.scalar(select(exists().where(*live))))


def _item(document: Document) -> Item:
    return Item(document["id"], document["cost"], document["type"], document["data"])
