"""The monolith's documents in SQLite: one table per collection, with the document in a JSON column."""

import json
from collections.abc import Sequence
from typing import Any

from bson import ObjectId
from sqlalchemy import (
    ColumnElement,
    Float,
    Select,
    TableClause,
    Update,
    column,
    delete,
    func,
    insert,
    literal_column,
    select,
    table,
    update,
)

from chassis.database.database import Database
from legacy_adapter.documents.port import Document, DocumentQuery


class SqliteDocuments:
    """Collection x is the table mongo_x(_id, id, body); `body` is the whole document."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_one(self, collection: str, public_id: str) -> Document | None:
        """By the indexed column."""
        statement = _documents(collection).where(column("id") == public_id)
        async with self._database.read() as connection:
            body = await connection.scalar(statement)
        return None if body is None else json.loads(body)

    async def find(self, collection: str, query: DocumentQuery) -> Sequence[Document]:
        """Ties keep the order of insertion."""
        statement = _documents(collection).where(*_conditions(query)).order_by(*_order(query))
        page = statement.offset(query.skip).limit(query.limit)
        async with self._database.read() as connection:
            return [json.loads(body) for body in await connection.scalars(page)]

    async def add(self, collection: str, fields: Document) -> Document:
        """As the monolith would write it."""
        object_id = str(ObjectId())
        document = {"_id": {"$oid": object_id}, **fields, "__v": 0}
        row = {"_id": object_id, "id": fields["id"], "body": json.dumps(document)}
        async with self._database.write() as connection:
            await connection.execute(insert(_collection(collection)).values(row))
        return document

    async def set_fields(self, collection: str, public_id: str, fields: Document) -> Document | None:
        """One statement, so that two at once keep each other's fields."""
        if not fields:
            return await self.find_one(collection, public_id)
        async with self._database.write() as connection:
            body = await connection.scalar(_set(collection, public_id, fields))
        return None if body is None else json.loads(body)

    async def remove(self, collection: str, public_id: str) -> bool:
        """By the indexed column."""
        statement = delete(_collection(collection)).where(column("id") == public_id)
        async with self._database.write() as connection:
            return (await connection.execute(statement)).rowcount > 0


def _collection(name: str) -> TableClause:
    return table(f"mongo_{name}", column("_id"), column("id"), column("body"))


def _documents(collection: str) -> Select[Any]:
    return select(column("body")).select_from(_collection(collection))


def _set(collection: str, public_id: str, fields: Document) -> Update:
    pairs = [part for name, value in fields.items() for part in (f'$."{name}"', func.json(json.dumps(value)))]
    body = func.json_set(column("body"), *pairs)
    found = update(_collection(collection)).where(column("id") == public_id)
    return found.values(body=body).returning(column("body"))


def _member(name: str) -> ColumnElement[Any]:
    return func.json_extract(column("body"), f"$.{name}", type_=Float)


def _conditions(query: DocumentQuery) -> list[ColumnElement[bool]]:
    return [_text(name).in_(texts) for name, texts in query.equals.items()]


def _text(name: str) -> ColumnElement[Any]:
    """The public id has a column with an index."""
    return column("id") if name == "id" else func.json_extract(column("body"), f"$.{name}")


def _order(query: DocumentQuery) -> list[ColumnElement[Any]]:
    keys = [(_member(name), descending) for name, descending in query.descending.items()]
    return [*(key.desc() if descending else key.asc() for key, descending in keys), literal_column("rowid")]
