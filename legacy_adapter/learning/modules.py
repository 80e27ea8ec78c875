"""Learning's port for modules on the monolith's documents."""

import asyncio
import uuid
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from bson import ObjectId

from chassis.database.database import Database
from extracted.learning.domain import ListQuery, NotFound, Unexpected, ValueRefused
from extracted.learning.modules.domain import Author, Fields, Module
from legacy_adapter.documents.port import Document, DocumentStore
from legacy_adapter.learning.authors import authors
from legacy_adapter.learning.collections import CONTENTS, MODULES
from legacy_adapter.learning.contents import LegacyContents
from legacy_adapter.learning.pages import page, refusing
from legacy_adapter.learning.views import plain

_FIELDS: Final = ("name", "description", "type", "reward", "tags", "data", "modules", "contents")


class LegacyModules:
    """Implements the port ModuleStore."""

    def __init__(self, database: Database, documents: DocumentStore) -> None:
        self._database = database
        self._documents = documents
        self._contents = LegacyContents(documents)

    async def select(self, query: ListQuery) -> Sequence[Module]:
        """Four queries, however long the page is."""
        found = await page(self._documents, MODULES, query)
        modules, contents, known = await asyncio.gather(
            self._public_ids(MODULES, _references(found, "modules")),
            self._public_ids(CONTENTS, _references(found, "contents")),
            authors(self._database, [document["authorId"] for document in found]),
        )
        return [
            _module(document, _named(document["modules"], modules), _named(document["contents"], contents), known)
            for document in found
        ]

    async def find(self, module_id: str) -> Module | None:
        """Five queries, however many contents it has."""
        document = await self._documents.find_one(MODULES, module_id)
        return None if document is None else await self._whole(document)

    async def add(self, author_id: str, fields: Fields) -> Module:
        """Looks up the references, then adds one document."""
        stored = await self._stored(fields)
        async with refusing():
            new = {**stored, "authorId": author_id, "id": str(uuid.uuid4())}
            document = await self._documents.add(MODULES, new)
        known = await authors(self._database, [author_id])
        return _module(document, plain(document["modules"]), plain(document["contents"]), known)

    async def change(self, module_id: str, fields: Fields) -> Module:
        """One `$set`."""
        stored = await self._stored(fields)
        async with refusing():
            document = await self._documents.set_fields(MODULES, module_id, stored)
        if document is None:
            raise NotFound(f"there is no module {module_id}")
        return await self._whole(document)

    async def remove(self, module_id: str) -> None:
        """One document; others may still name it."""
        await self._documents.remove(MODULES, module_id)

    async def _whole(self, document: Document) -> Module:
        modules, contents, known = await asyncio.gather(
            self._documents.find_by_object_id(MODULES, document["modules"]),
            self._documents.find_by_object_id(CONTENTS, document["contents"]),
            authors(self._database, [document["authorId"]]),
        )
        shown = await self._contents.shown([contents[one] for one in document["contents"] if one in contents])
        return _module(document, [plain(modules[one]) for one in document["modules"] if one in modules], shown, known)

    async def _public_ids(self, collection: str, object_ids: set[ObjectId]) -> Mapping[ObjectId, str]:
        found = await self._documents.find_by_object_id(collection, object_ids) if object_ids else {}
        return {object_id: document["id"] for object_id, document in found.items()}

    async def _stored(self, fields: Fields) -> dict[str, Any]:
        """Fields in the order of the monolith's schema. `data` has no fields there, so nothing of it is stored."""
        modules = await self._object_ids(MODULES, fields.get("modules") or ())
        if None in modules:
            raise NotFound("a module is named that does not exist")
        if fields.get("contents") is None:
            raise Unexpected("contents are missing")
        contents = await self._object_ids(CONTENTS, fields["contents"])
        if None in contents:
            raise Unexpected("a content is named that does not exist")
        if not all(isinstance(tag, str) for tag in fields.get("tags") or ()):
            raise ValueRefused("a tag is not a text")
        stored = {**fields, "modules": modules, "contents": contents}
        stored |= {"data": {"_id": ObjectId()}} if "data" in fields else {}
        return {name: stored[name] for name in _FIELDS if name in stored}

    async def _object_ids(self, collection: str, public_ids: Sequence[str]) -> list[ObjectId | None]:
        known = await self._documents.find_all(collection, public_ids) if public_ids else {}
        return [known[public_id]["_id"] if public_id in known else None for public_id in public_ids]


def _references(found: Iterable[Document], name: str) -> set[ObjectId]:
    return {object_id for document in found for object_id in document[name]}


def _named(object_ids: Iterable[ObjectId], public_ids: Mapping[ObjectId, str]) -> list[object]:
    return [{"id": public_ids[object_id]} for object_id in object_ids if object_id in public_ids]


def _module(document: Document, modules: Sequence[Any], contents: Sequence[Any], known: Mapping[str, Author]) -> Module:
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
