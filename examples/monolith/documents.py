"""MongoDB collections kept as JSON: table `mongo_<collection>` with `_id`, `id` and the whole document in `body`."""

import itertools
import secrets
import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, Table, delete, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

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
    body = {"_id": {"$oid": object_id}, **document, "__v": 0}
    await connection.execute(insert(collection).values({"_id": object_id, "id": document["id"], "body": body}))
    return body


async def find_one(connection: AsyncConnection, collection: Table, public_id: str) -> Document | None:
    body: Document | None = await connection.scalar(select(collection.c.body).where(collection.c.id == public_id))
    return body


async def find(
    connection: AsyncConnection,
    collection: Table,
    *,
    equal: Mapping[str, str],
    order: Mapping[str, bool],
    offset: int,
    limit: int,
) -> list[Document]:
    """Documents whose text fields equal those of `equal`, by number fields (`True` = descending), oldest first."""
    query = _ordered(_filtered(select(collection.c.body), collection, equal), collection, order)
    return list(await connection.scalars(query.offset(offset).limit(limit)))


def _filtered(query: Select[Any], collection: Table, equal: Mapping[str, str]) -> Select[Any]:
    return query.where(*(collection.c.body[field].as_string() == value for field, value in equal.items()))


def _ordered(query: Select[Any], collection: Table, order: Mapping[str, bool]) -> Select[Any]:
    keys = [(collection.c.body[field].as_float(), descending) for field, descending in order.items()]
    return query.order_by(*(key.desc() if descending else key.asc() for key, descending in keys), text("rowid"))


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
