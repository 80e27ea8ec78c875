"""Learning's port for modules on the monolith's documents."""

import asyncio
from collections.abc import Iterable, Mapping, Sequence

from bson import ObjectId

from chassis.database.database import Database
from extracted.learning.domain import ListQuery
from extracted.learning.modules.domain import Author, Module
from legacy_adapter.documents.port import Document, DocumentStore
from legacy_adapter.learning.authors import authors
from legacy_adapter.learning.collections import CONTENTS, MODULES
from legacy_adapter.learning.pages import page


class LegacyModules:
    """Implements the port ModuleStore."""

    def __init__(self, database: Database, documents: DocumentStore) -> None:
        self._database = database
        self._documents = documents

    async def select(self, query: ListQuery) -> Sequence[Module]:
        """Four queries, however long the page is. References to documents that are gone are left out."""
        found = await page(self._documents, MODULES, query)
        modules, contents, known = await asyncio.gather(
            self._public_ids(MODULES, _references(found, "modules")),
            self._public_ids(CONTENTS, _references(found, "contents")),
            authors(self._database, [document["authorId"] for document in found]),
        )
        return [
            _module(document, _named(document, "modules", modules), _named(document, "contents", contents), known)
            for document in found
        ]

    async def _public_ids(self, collection: str, object_ids: set[ObjectId]) -> Mapping[ObjectId, str]:
        found = await self._documents.find_by_object_id(collection, object_ids) if object_ids else {}
        return {object_id: document["id"] for object_id, document in found.items()}


def _references(found: Iterable[Document], name: str) -> set[ObjectId]:
    return {object_id for document in found for object_id in document[name]}


def _named(document: Document, name: str, public_ids: Mapping[ObjectId, str]) -> list[object]:
    return [{"id": public_ids[object_id]} for object_id in document[name] if object_id in public_ids]


def _module(
    document: Document, modules: Sequence[object], contents: Sequence[object], known: Mapping[str, Author]
) -> Module:
    return Module(
        id=document["id"],
        name=document["name"],
        description=document["description"],
        type=document["type"],
        reward=document["reward"],
        tags=document["tags"],
        modules=modules,
        contents=contents,
        author=known.get(document["authorId"]),
    )
