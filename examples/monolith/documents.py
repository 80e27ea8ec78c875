"""MongoDB collections kept as JSON: table `mongo_<collection>` with `_id`, `id` and the whole document in `body`."""

import itertools
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Boolean, ColumnElement, Table, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.listing import Page, mongo_order
from examples.monolith.minimized import minimized
from examples.monolith.refusals import InternalFailure, UncaughtFailure
from examples.monolith.regular_expressions import checked

MAX_SKIP = 2**63 - 1
Document = dict[str, Any]


class ObjectIds:
    """Twelve bytes as MongoDB makes them, in hex: seconds, process, counter."""

    def __init__(self) -> None:
        self._process = secrets.token_bytes(5)
        self._counter = itertools.count(secrets.randbelow(2**24))

    def next(self) -> str:
        count = next(self._counter) % 2**24
        return (int(time.time()).to_bytes(4, "big") + self._process + count.to_bytes(3, "big")).hex()


async def add(connection: AsyncConnection, collection: Table, object_id: str, document: Document) -> Document:
    body = {"_id": {"$oid": object_id}, **minimized(document), "__v": 0}
    await connection.execute(insert(collection).values({"_id": object_id, "id": document["id"], "body": body}))
    return body


async def find_one(connection: AsyncConnection, collection: Table, public_id: str) -> Document | None:
    body: Document | None = await connection.scalar(select(collection.c.body).where(collection.c.id == public_id))
    return body


async def find_page(connection: AsyncConnection, collection: Table, page: Page) -> list[Document]:
    """A list route's page, oldest first where no order is asked for.

    Raises UncaughtFailure for what never gets as far as MongoDB, InternalFailure for what MongoDB refuses.
    """
    order = [_directed(collection, key, descending) for key, descending in mongo_order(page).items()]
    conditions = _any_of(collection, page) + _filters(collection, page)
    if page.offset > MAX_SKIP:
        raise UncaughtFailure("skip out of range")
    query = select(collection.c.body).where(*conditions).order_by(*order, text("rowid"))
    return list(await connection.scalars(query.offset(page.offset).limit(page.limit)))


async def find_by_object_id(
    connection: AsyncConnection, collection: Table, object_ids: Iterable[str]
) -> dict[str, Document]:
    """Documents by their ObjectIds, in one query; those that are gone are left out."""
    wanted = collection.c["_id"].in_(set(object_ids))
    rows = await connection.execute(select(collection.c["_id"], collection.c.body).where(wanted))
    return {row._id: row.body for row in rows}


def plain(value: Any) -> Any:
    """An ObjectId is its hex digits, at any depth."""
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


def _field(collection: Table, name: str) -> ColumnElement[Any]:
    return func.json_extract(collection.c.body, f"$.{name}")


def _directed(collection: Table, name: str, descending: bool) -> ColumnElement[Any]:
    return _field(collection, name).desc() if descending else _field(collection, name).asc()


def _filters(collection: Table, page: Page) -> list[ColumnElement[bool]]:
    return [_filter(collection, name, value, page.matching[name]) for name, value in (page.filters or {}).items()]


def _filter(collection: Table, name: str, value: Any, matching: bool) -> ColumnElement[bool]:
    """A text, or for equality a list of texts one of which will do; Mongoose casts nothing else to text."""
    field = _field(collection, name)
    if isinstance(value, str):
        return func.found_in(checked(value), field, type_=Boolean) if matching else field == value
    if matching or not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InternalFailure(f"{name} is no text")
    return field.in_(value)


def _any_of(collection: Table, page: Page) -> list[ColumnElement[bool]]:
    """`[a,b]`: the brackets are cut off unseen; a list or an object has no text to cut."""
    conditions: list[ColumnElement[bool]] = []
    for name, value in page.arrays.items():
        if not isinstance(value, str):
            raise UncaughtFailure(f"{name} is no text")
        element = func.json_each(collection.c.body, f"$.{name}").table_valued("value")
        conditions.append(select(element.c.value).where(element.c.value.in_(value[1:-1].split(","))).exists())
    return conditions


async def set_fields(
    connection: AsyncConnection, collection: Table, public_id: str, fields: Mapping[str, Any]
) -> Document | None:
    """A `$set`: the other fields stay. The document as it is now, or None when there is none."""
    document = await find_one(connection, collection, public_id)
    if document is None:
        return None
    changed = document | dict(fields)
    await connection.execute(update(collection).where(collection.c.id == public_id).values(body=changed))
    return changed


async def remove(connection: AsyncConnection, collection: Table, public_id: str) -> bool:
    result = await connection.execute(delete(collection).where(collection.c.id == public_id))
    return result.rowcount > 0
