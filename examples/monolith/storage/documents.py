"""Documents as Mongoose writes and reads them, in tables or on a server."""

import itertools
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from sqlalchemy import Table
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.http.errors import UncaughtFailure
from examples.monolith.http.listing import Page
from examples.monolith.storage.document_tables import DocumentTables, Key
from examples.monolith.storage.minimized import minimized

MAX_SKIP = 2**63 - 1
SERVER = "document_server"
"""The execution option of a connection that names the document server."""
Document = dict[str, Any]


class Documents(Protocol):
    """Where documents are kept: JSON with `{"$oid": …}` for an ObjectId. Raises InternalFailure, UncaughtFailure."""

    async def insert(self, collection: Table, body: Document) -> None: ...
    async def find_one(self, collection: Table, wanted: Mapping[str, str]) -> Document | None: ...
    async def find_page(self, collection: Table, page: Page) -> list[Document]: ...
    async def find_all(self, collection: Table, key: Key, values: Iterable[str]) -> list[Document]: ...
    async def set_fields(self, collection: Table, public_id: str, fields: Mapping[str, Any]) -> Document | None: ...
    async def remove(self, collection: Table, public_id: str) -> bool: ...


def documents_of(connection: AsyncConnection) -> Documents:
    """The server that the connection names, or tables of the same database."""
    assert connection.sync_connection is not None
    server: Documents | None = connection.sync_connection.get_execution_options().get(SERVER)
    return server or DocumentTables(connection)


class ObjectIds:
    """Makes ObjectIds as MongoDB does: seconds, process, counter, twelve bytes in hex."""

    def __init__(self) -> None:
        self._process = secrets.token_bytes(5)
        self._counter = itertools.count(secrets.randbelow(2**24))

    def next(self) -> str:
        count = next(self._counter) % 2**24
        return (int(time.time()).to_bytes(4, "big") + self._process + count.to_bytes(3, "big")).hex()


async def add(connection: AsyncConnection, collection: Table, object_id: str, document: Document) -> Document:
    body = {"_id": {"$oid": object_id}, **minimized(document), "__v": 0}
    await documents_of(connection).insert(collection, body)
    return body


async def find_one(connection: AsyncConnection, collection: Table, public_id: str) -> Document | None:
    return await documents_of(connection).find_one(collection, {"id": public_id})


async def find_page(connection: AsyncConnection, collection: Table, page: Page) -> list[Document]:
    """A page of a list route, oldest first by default.

    Raises UncaughtFailure for what fails before MongoDB, InternalFailure for what MongoDB refuses.
    """
    if page.offset > MAX_SKIP:
        raise UncaughtFailure("skip out of range")
    return await documents_of(connection).find_page(collection, page)


async def find_by_object_id(
    connection: AsyncConnection, collection: Table, object_ids: Iterable[str]
) -> dict[str, Document]:
    """Documents by ObjectId, in one query; missing ones are left out."""
    found = await documents_of(connection).find_all(collection, "_id", object_ids)
    return {document["_id"]["$oid"]: document for document in found}


async def find_by_public_id(
    connection: AsyncConnection, collection: Table, public_ids: Iterable[str]
) -> dict[str, Document]:
    """The same by public id."""
    found = await documents_of(connection).find_all(collection, "id", public_ids)
    return {document["id"]: document for document in found}


async def set_fields(
    connection: AsyncConnection, collection: Table, public_id: str, fields: Mapping[str, Any]
) -> Document | None:
    """Sets fields (`$set`) and keeps the others. Returns the changed document, None when there is none."""
    return await documents_of(connection).set_fields(collection, public_id, fields)


async def remove(connection: AsyncConnection, collection: Table, public_id: str) -> bool:
    return await documents_of(connection).remove(collection, public_id)


def plain(value: Any) -> Any:
    """Replaces each ObjectId, at any depth, by its hex digits."""
    match value:
        case {"$oid": object_id}:
            return object_id
        case dict():
            return {name: plain(item) for name, item in value.items()}
        case list():
            return [plain(item) for item in value]
        case _:
            return value


def without_mongo_fields(document: Document) -> Document:
    return {name: value for name, value in document.items() if name not in ("_id", "__v")}
