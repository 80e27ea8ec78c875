"""The monolith's documents in SQLite: one table per collection, with the document in a JSON column."""

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import re2  # type: ignore[import-untyped]
from bson import ObjectId
from sqlalchemy import (
    Boolean,
    ColumnElement,
    Float,
    Select,
    TableClause,
    Update,
    column,
    delete,
    event,
    func,
    insert,
    literal_column,
    select,
    table,
    update,
)

from chassis.database.database import Database
from legacy_adapter.documents.port import (
    ALWAYS,
    Document,
    DocumentCondition,
    DocumentQuery,
    DocumentRefused,
    new_document,
)

EXPRESSIONS: Final = 128
"""How many compiled regular expressions are kept."""
_MATCHES: Final = "document_text_matches"
"""The SQL function for regular expressions: RE2, so that no client's expression takes exponential time."""


class SqliteDocuments:
    """Collection x is the table mongo_x(_id, id, body); `body` is the whole document."""

    def __init__(self, database: Database) -> None:
        self._database = database
        event.listen(database.engine.sync_engine, "connect", _add_function)

    async def find_one(self, collection: str, public_id: str) -> Document | None:
        """By the indexed column."""
        statement = _documents(collection).where(column("id") == public_id)
        async with self._database.read() as connection:
            body = await connection.scalar(statement)
        return None if body is None else _decoded(body)

    async def find_all(self, collection: str, public_ids: Collection[str]) -> Mapping[str, Document]:
        """By the indexed column."""
        return {document["id"]: document for document in await self._any_of(collection, "id", public_ids)}

    async def find(self, collection: str, query: DocumentQuery) -> Sequence[Document]:
        """Ties keep the order of insertion."""
        statement = _documents(collection).where(*_conditions(query)).order_by(*_order(query))
        page = statement.offset(query.skip).limit(query.limit)
        async with self._database.read() as connection:
            return [_decoded(body) for body in await connection.scalars(page)]

    async def find_by_object_id(self, collection: str, object_ids: Collection[ObjectId]) -> Mapping[ObjectId, Document]:
        """By the primary key."""
        found = await self._any_of(collection, "_id", map(str, object_ids))
        return {document["_id"]: document for document in found}

    async def after(self, collection: str, object_id: ObjectId | None, limit: int) -> Sequence[Document]:
        """By the primary key."""
        statement = _documents(collection).order_by(column("_id")).limit(limit)
        statement = statement if object_id is None else statement.where(column("_id") > str(object_id))
        async with self._database.read() as connection:
            return [_decoded(body) for body in await connection.scalars(statement)]

    async def add(self, collection: str, fields: Document) -> Document:
        """As the monolith would write it."""
        document = new_document(fields)
        await self.insert(collection, [document])
        return document

    async def add_once(self, collection: str, object_id: ObjectId, fields: Document) -> Document:
        """By the primary key."""
        document = {"_id": object_id, **fields, "__v": 0}
        row = {"_id": str(object_id), "id": fields["id"], "body": _encoded(document)}
        same = _documents(collection).where(column("_id") == str(object_id))
        async with self._database.write() as connection:
            await connection.execute(insert(_collection(collection)).prefix_with("OR IGNORE").values(row))
            return _decoded(await connection.scalar(same))

    async def insert(self, collection: str, documents: Sequence[Document]) -> None:
        """One transaction."""
        async with self._database.write() as connection:
            await connection.execute(insert(_collection(collection)), [_row(document) for document in documents])

    async def set_fields(
        self, collection: str, public_id: str, fields: Document, condition: DocumentCondition = ALWAYS
    ) -> Document | None:
        """One statement, so that two at once keep each other's fields."""
        if not fields:
            return await self.find_one(collection, public_id)
        async with self._database.write() as connection:
            body = await connection.scalar(_set(collection, public_id, fields).where(*_holds(condition)))
        return None if body is None else _decoded(body)

    async def set_each(self, collection: str, changes: Sequence[tuple[str, Document]]) -> None:
        """One transaction."""
        async with self._database.write() as connection:
            for public_id, fields in changes:
                await connection.execute(_set(collection, public_id, fields))

    async def remove(self, collection: str, public_id: str) -> bool:
        """By the indexed column."""
        statement = delete(_collection(collection)).where(column("id") == public_id)
        async with self._database.write() as connection:
            return (await connection.execute(statement)).rowcount > 0

    async def remove_all(self, collection: str, public_ids: Collection[str]) -> None:
        """One statement."""
        async with self._database.write() as connection:
            await connection.execute(delete(_collection(collection)).where(column("id").in_(_each(public_ids))))

    async def _any_of(self, collection: str, key: str, values: Iterable[str]) -> Sequence[Document]:
        statement = _documents(collection).where(column(key).in_(_each(values)))
        async with self._database.read() as connection:
            return [_decoded(body) for body in await connection.scalars(statement)]


def _collection(name: str) -> TableClause:
    return table(f"mongo_{name}", column("_id"), column("id"), column("body"))


def _documents(collection: str) -> Select[Any]:
    return select(column("body")).select_from(_collection(collection))


def _set(collection: str, public_id: str, fields: Document) -> Update:
    pairs = [part for name, value in fields.items() for part in (f'$."{name}"', func.json(_encoded(value)))]
    body = func.json_set(column("body"), *pairs)
    found = update(_collection(collection)).where(column("id") == public_id)
    return found.values(body=body).returning(column("body"))


def _holds(condition: DocumentCondition) -> list[ColumnElement[bool]]:
    return [
        *(_text(name).is_(None) for name in condition.missing),
        *(_text(path) == text for path, text in condition.texts.items()),
    ]


def _member(name: str) -> ColumnElement[Any]:
    return func.json_extract(column("body"), f"$.{name}", type_=Float)


def _conditions(query: DocumentQuery) -> list[ColumnElement[bool]]:
    """Raises DocumentRefused for what is no regular expression."""
    matches = getattr(func, _MATCHES)
    return [
        *(_text(name).in_(_each(texts)) for name, texts in query.equals.items()),
        *(matches(_checked(pattern), _text(name), type_=Boolean) for name, pattern in query.matching.items()),
        *(_any_of(name, texts) for name, texts in query.any_of.items()),
    ]


def _any_of(name: str, texts: Collection[str]) -> ColumnElement[bool]:
    element = func.json_each(column("body"), f"$.{name}").table_valued("value")
    return select(element.c.value).where(element.c.value.in_(_each(texts))).exists()


def _each(texts: Iterable[str]) -> Select[Any]:
    """The texts as rows: one parameter, however many they are."""
    return select(func.json_each(json.dumps(list(texts))).table_valued("value").c.value)


def _text(name: str) -> ColumnElement[Any]:
    """The public id has a column with an index."""
    return column("id") if name == "id" else func.json_extract(column("body"), f"$.{name}")


def _order(query: DocumentQuery) -> list[ColumnElement[Any]]:
    keys = [(_member(name), descending) for name, descending in query.descending.items()]
    return [*(key.desc() if descending else key.asc() for key, descending in keys), literal_column("rowid")]


def _row(document: Document) -> dict[str, object]:
    return {"_id": str(document["_id"]), "id": document["id"], "body": _encoded(document)}


def _encoded(value: object) -> str:
    return json.dumps(value, default=_reference)


def _reference(value: object) -> dict[str, str]:
    """An ObjectId as the stand-in writes it. Raises TypeError for what is no JSON either."""
    if isinstance(value, ObjectId):
        return {"$oid": str(value)}
    raise TypeError(f"{type(value).__name__} is not JSON")


def _decoded(body: str) -> Document:
    document: Document = json.loads(body, object_hook=_dereferenced)
    return document


def _dereferenced(value: dict[str, Any]) -> Any:
    is_reference = value.keys() == {"$oid"} and ObjectId.is_valid(value["$oid"])
    return ObjectId(value["$oid"]) if is_reference else value


def _add_function(connection: Any, _record: object) -> None:
    connection.create_function(_MATCHES, 2, _found_in, deterministic=True)


def _found_in(pattern: str, text: object) -> bool:
    return isinstance(text, str) and _expression(pattern).search(text) is not None


def _checked(pattern: str) -> str:
    try:
        _expression(pattern)
    except re2.error as error:
        raise DocumentRefused("not a regular expression") from error
    return pattern


@lru_cache(EXPRESSIONS)
def _expression(pattern: str) -> Any:
    options = re2.Options()
    options.log_errors = False
    return re2.compile(pattern, options)
