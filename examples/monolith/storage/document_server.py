"""MongoDB collections on a server that speaks MongoDB's protocol, as Mongoose uses it."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from bson import ObjectId
from bson.errors import BSONError
from pymongo import AsyncMongoClient, ReturnDocument
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import PyMongoError
from sqlalchemy import Table

from examples.monolith.http.errors import InternalFailure, UncaughtFailure
from examples.monolith.http.listing import Page, mongo_order
from examples.monolith.storage.document_tables import Key
from examples.monolith.storage.regular_expressions import checked

TIMEOUT_MS = 30_000
SMALLEST_INTEGER, LARGEST_INTEGER = -(2**31), 2**31 - 1
Document = dict[str, Any]


class DocumentServer:
    """One database of the server; `url` names it. Operations are not part of a transaction."""

    def __init__(self, url: str) -> None:
        self._client: AsyncMongoClient[Document] = AsyncMongoClient(url, serverSelectionTimeoutMS=TIMEOUT_MS)
        self._database = self._client.get_default_database()

    async def create_indexes(self, collections: Iterable[Table]) -> None:
        async with _translated_errors():
            for collection in collections:
                await self._of(collection).create_index("id", unique=True)

    async def aclose(self) -> None:
        await self._client.close()

    async def insert(self, collection: Table, body: Document) -> None:
        async with _translated_errors():
            await self._of(collection).insert_one(_stored(body))

    async def find_one(self, collection: Table, wanted: Mapping[str, str]) -> Document | None:
        """The first document with these text fields."""
        async with _translated_errors():
            found = await self._of(collection).find_one(dict(wanted), max_time_ms=TIMEOUT_MS)
        return None if found is None else _shown_document(found)

    async def find_page(self, collection: Table, page: Page) -> list[Document]:
        order = [(name, -1 if descending else 1) for name, descending in mongo_order(page).items()]
        conditions = _any_of(page) | _filters(page)
        pages: Any = {"skip": page.offset, "limit": page.limit, "sort": order or None, "max_time_ms": TIMEOUT_MS}
        async with _translated_errors():
            return [_shown_document(found) async for found in self._of(collection).find(conditions, **pages)]

    async def find_all(self, collection: Table, key: Key, values: Iterable[str]) -> list[Document]:
        wanted = [ObjectId(value) if key == "_id" else value for value in set(values)]
        async with _translated_errors():
            return [_shown_document(found) async for found in self._of(collection).find({key: {"$in": wanted}})]

    async def set_fields(self, collection: Table, public_id: str, fields: Mapping[str, Any]) -> Document | None:
        if not fields:
            return await self.find_one(collection, {"id": public_id})
        change = {"$set": _stored(dict(fields))}
        async with _translated_errors():
            changed = await self._of(collection).find_one_and_update(
                {"id": public_id}, change, return_document=ReturnDocument.AFTER
            )
        return None if changed is None else _shown_document(changed)

    async def remove(self, collection: Table, public_id: str) -> bool:
        async with _translated_errors():
            return (await self._of(collection).delete_one({"id": public_id})).deleted_count > 0

    def _of(self, collection: Table) -> AsyncCollection[Document]:
        return self._database[collection.name.removeprefix("mongo_")]


@asynccontextmanager
async def _translated_errors() -> AsyncIterator[None]:
    """Turns errors of the server and its driver into the monolith's 500."""
    try:
        yield
    except (PyMongoError, BSONError, OverflowError) as error:
        raise InternalFailure(str(error)) from error


def _stored(value: Any) -> Any:
    """JSON to BSON: ObjectIds, and numbers beyond 32 bits as doubles, as JavaScript has them."""
    match value:
        case {"$oid": str(object_id)}:
            return ObjectId(object_id)
        case dict():
            return {name: _stored(item) for name, item in value.items()}
        case list():
            return [_stored(item) for item in value]
        case int() if not SMALLEST_INTEGER <= value <= LARGEST_INTEGER:
            return float(value)
        case _:
            return value


def _shown_document(found: Document) -> Document:
    return {name: shown(value) for name, value in found.items()}


def shown(value: Any) -> Any:
    """BSON to JSON."""
    match value:
        case ObjectId():
            return {"$oid": str(value)}
        case dict():
            return {name: shown(item) for name, item in value.items()}
        case list():
            return [shown(item) for item in value]
        case _:
            return value


def _filters(page: Page) -> Document:
    return {name: _filter(name, value, page.matching[name]) for name, value in (page.filters or {}).items()}


def _filter(name: str, value: Any, matching: bool) -> Any:
    """A condition on a text, or for equality on any of several texts; Mongoose casts no other type to text."""
    if isinstance(value, str):
        return {"$regex": checked(value)} if matching else value
    if matching or not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InternalFailure(f"{name} is not a text")
    return {"$in": value}


def _any_of(page: Page) -> Document:
    """`[a,b]`: drops first and last character unchecked, as the monolith does; a list or object fails."""
    conditions: Document = {}
    for name, value in page.arrays.items():
        if not isinstance(value, str):
            raise UncaughtFailure(f"{name} is not a text")
        conditions[name] = {"$in": value[1:-1].split(",")}
    return conditions
