"""The monolith's documents on a server that speaks MongoDB's protocol."""

from collections.abc import AsyncIterator, Collection, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

from bson import ObjectId
from bson.errors import BSONError
from pymongo import AsyncMongoClient, ReturnDocument, UpdateOne
from pymongo.errors import (
    ConnectionFailure,
    CursorNotFound,
    DuplicateKeyError,
    ExecutionTimeout,
    OperationFailure,
    PyMongoError,
)
from pymongo.uri_parser import parse_uri

from chassis import deadline
from chassis.settings import SettingsInvalid
from chassis.store import StoreUnavailable
from legacy_adapter.documents.port import (
    ALWAYS,
    Document,
    DocumentCondition,
    DocumentQuery,
    DocumentRefused,
    new_document,
)

_SMALLEST, _LARGEST = -(2**31), 2**31 - 1
_NO_ENTRY = {13, 18}
"""Codes: Unauthorized, AuthenticationFailed."""


class MongoDocuments:
    """One per process, on one loop. `url` names the database: mongodb://HOST/NAME. Raises SettingsInvalid.

    `timeout_s` limits the wait for a server, a connection, an answer; the server cancels a query after it.
    """

    def __init__(self, url: str, *, timeout_s: float = 5.0, pool_size: int = 10) -> None:
        name = _database_name(url)
        own_ms = int(timeout_s * 1000)
        self._timeout_ms = own_ms
        self._client: AsyncMongoClient[dict[str, Any]] = AsyncMongoClient(
            url,
            maxPoolSize=pool_size,
            connectTimeoutMS=own_ms,
            serverSelectionTimeoutMS=own_ms,
            waitQueueTimeoutMS=own_ms,
            socketTimeoutMS=own_ms + 1000,
            tz_aware=True,
        )
        self._database = self._client[name]

    async def find_one(self, collection: str, public_id: str) -> Document | None:
        """By the index on `id`."""
        async with _translated():
            return await self._database[collection].find_one({"id": public_id}, max_time_ms=self._timeout_ms)

    async def find_all(self, collection: str, public_ids: Collection[str]) -> Mapping[str, Document]:
        """By the index on `id`."""
        return {document["id"]: document for document in await self._any_of(collection, "id", public_ids)}

    async def find(self, collection: str, query: DocumentQuery) -> Sequence[Document]:
        """Without an order, in MongoDB's natural one. The server orders ties, as for the monolith."""
        conditions: dict[str, Any] = {
            name: {"$in": list(texts)} for name, texts in {**query.equals, **query.any_of}.items()
        }
        conditions |= {name: {"$regex": pattern} for name, pattern in query.matching.items()}
        keys = [(name, -1 if descending else 1) for name, descending in query.descending.items()]
        cursor = self._database[collection].find(
            conditions, skip=query.skip, limit=query.limit, sort=keys or None, max_time_ms=self._timeout_ms
        )
        async with _translated():
            return await cursor.to_list()

    async def find_by_object_id(self, collection: str, object_ids: Collection[ObjectId]) -> Mapping[ObjectId, Document]:
        """By the index on `_id`."""
        return {document["_id"]: document for document in await self._any_of(collection, "_id", object_ids)}

    async def after(self, collection: str, object_id: ObjectId | None, limit: int) -> Sequence[Document]:
        """By the index on `_id`."""
        conditions = {} if object_id is None else {"_id": {"$gt": object_id}}
        cursor = self._database[collection].find(
            conditions, sort=[("_id", 1)], limit=limit, max_time_ms=self._timeout_ms
        )
        async with _translated():
            return await cursor.to_list()

    async def add(self, collection: str, fields: Document) -> Document:
        """As Mongoose would write it."""
        document: Document = _stored(new_document(fields))
        await self.insert(collection, [document])
        return document

    async def add_once(self, collection: str, object_id: ObjectId, fields: Document) -> Document:
        """By the index on `_id`."""
        document = {"_id": object_id, **_stored(fields), "__v": 0}
        async with _translated():
            try:
                await self._database[collection].insert_one({**document})
            except DuplicateKeyError:
                found = await self._database[collection].find_one({"_id": object_id}, max_time_ms=self._timeout_ms)
                return document if found is None else found  # it was removed meanwhile
        return document

    async def insert(self, collection: str, documents: Sequence[Document]) -> None:
        """One command."""
        async with _translated():
            await self._database[collection].insert_many(map(_stored, documents))

    async def set_fields(
        self, collection: str, public_id: str, fields: Document, condition: DocumentCondition = ALWAYS
    ) -> Document | None:
        """One command, so that two at once keep each other's fields."""
        if not fields:
            return await self.find_one(collection, public_id)
        async with _translated():
            return await self._database[collection].find_one_and_update(
                {"id": public_id, **dict.fromkeys(condition.missing), **condition.texts},
                {"$set": _stored(fields)},
                return_document=ReturnDocument.AFTER,
                maxTimeMS=self._timeout_ms,
            )

    async def set_each(self, collection: str, changes: Sequence[tuple[str, Document]]) -> None:
        """One command."""
        updates = [UpdateOne({"id": public_id}, {"$set": _stored(fields)}) for public_id, fields in changes]
        async with _translated():
            await self._database[collection].bulk_write(updates)

    async def remove(self, collection: str, public_id: str) -> bool:
        """By the index on `id`."""
        async with _translated():
            return (await self._database[collection].delete_one({"id": public_id})).deleted_count > 0

    async def remove_all(self, collection: str, public_ids: Collection[str]) -> None:
        """One command."""
        async with _translated():
            await self._database[collection].delete_many({"id": {"$in": list(public_ids)}})

    async def ping(self) -> None:
        """Returns if the server answers. Raises StoreUnavailable."""
        async with _translated():
            await self._client.admin.command("ping")

    async def aclose(self) -> None:
        """Closes every connection."""
        await self._client.close()

    async def _any_of(self, collection: str, name: str, values: Iterable[object]) -> Sequence[Document]:
        wanted = {name: {"$in": list(values)}}
        async with _translated():
            return await self._database[collection].find(wanted, max_time_ms=self._timeout_ms).to_list()


def _stored(value: Any) -> Any:
    """Stores numbers as JavaScript does: a whole number beyond 32 bits is a double."""
    match value:
        case Mapping():
            return {name: _stored(item) for name, item in value.items()}
        case list():
            return [_stored(item) for item in value]
        case int() if not _SMALLEST <= value <= _LARGEST:
            return float(value)
        case _:
            return value


def _database_name(url: str) -> str:
    try:
        name = parse_uri(url)["database"]
    except PyMongoError:
        raise SettingsInvalid("the documents URL is not valid; expected mongodb://HOST/NAME") from None
    if not name:
        raise SettingsInvalid("the documents URL has no database name; expected mongodb://HOST/NAME")
    return str(name)


@asynccontextmanager
async def _translated() -> AsyncIterator[None]:
    deadline.begin()
    try:
        yield
    except (
        ConnectionFailure,
        ExecutionTimeout,
        CursorNotFound,
    ) as error:  # the server dropped a query that took too long
        raise StoreUnavailable(_first_line(error)) from error
    except OperationFailure as error:
        if error.code in _NO_ENTRY:
            raise StoreUnavailable(_first_line(error)) from error
        raise DocumentRefused(
            f"the document server refuses it, code {error.code}"
        ) from error  # its text has the values
    except (BSONError, OverflowError) as error:
        raise DocumentRefused("BSON has no such value") from error


def _first_line(error: PyMongoError) -> str:
    """Drops the description of the topology that follows."""
    return str(error).partition(", Timeout:")[0].partition("\n")[0]
