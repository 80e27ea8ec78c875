"""The shop's port for items on the monolith's documents."""

from collections.abc import Collection, Mapping, Sequence

from extracted.shop.domain import Item, ItemFields, ItemSelection
from legacy_adapter.documents.port import Document, DocumentQuery, DocumentStore

_COLLECTION = "items"


class LegacyItems:
    """Implements the port Items."""

    def __init__(self, documents: DocumentStore) -> None:
        self._documents = documents

    async def find(self, item_id: str) -> Item | None:
        """By public id, compared exactly as spelled."""
        document = await self._documents.find_one(_COLLECTION, item_id)
        return None if document is None else _item(document)

    async def find_all(self, item_ids: Collection[str]) -> Mapping[str, Item]:
        """By public ids, compared exactly as spelled."""
        found = await self._documents.find_all(_COLLECTION, item_ids)
        return {item_id: _item(document) for item_id, document in found.items()}

    async def select(self, selection: ItemSelection) -> Sequence[Item]:
        """One page."""
        equals = {} if selection.types is None else {"type": selection.types}
        descending = {} if selection.cost_descending is None else {"cost": selection.cost_descending}
        found = await self._documents.find(
            _COLLECTION, DocumentQuery(equals, descending, selection.offset, selection.limit)
        )
        return [_item(document) for document in found]

    async def add(self, item_id: str, fields: ItemFields) -> Item:
        """An item's fields have the same names in the monolith's document."""
        return _item(await self._documents.add(_COLLECTION, {**fields, "id": item_id}))

    async def change(self, item_id: str, fields: ItemFields) -> Item | None:
        """One `$set`."""
        document = await self._documents.set_fields(_COLLECTION, item_id, fields)
        return None if document is None else _item(document)

    async def remove(self, item_id: str) -> bool:
        """Removes the document, as the monolith does."""
        return await self._documents.remove(_COLLECTION, item_id)


def _item(document: Document) -> Item:
    return Item(document["id"], document["cost"], document["type"], document["data"])
