"""The monolith's documents: a port as small as its readers need, and its SQLite form (a JSON column per collection)."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from sqlalchemy import ColumnElement, Float, Select, column, func, literal_column, select, table

from chassis.database import Database

Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Selection:
    """`equals`: field → the texts of which it has to be one. `descending`: number field → direction, in sort order."""

    equals: Mapping[str, Collection[str]] = field(default_factory=dict)
    descending: Mapping[str, bool] = field(default_factory=dict)
    skip: int = 0
    limit: int = 100


class DocumentStore(Protocol):
    """Collections of documents; their public id is the field `id`."""

    async def find_one(self, collection: str, public_id: str) -> Document | None:
        """Raises StoreUnavailable."""
        ...

    async def find(self, collection: str, selection: Selection) -> Sequence[Document]:
        """Without an order: in the order in which they were added. Raises StoreUnavailable."""
        ...


class SqliteDocuments:
    """Collection x is the table mongo_x(_id, id, body), the whole document in `body`."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find_one(self, collection: str, public_id: str) -> Document | None:
        """By the indexed column."""
        statement = _documents(collection).where(column("id") == public_id)
        async with self._database.read() as connection:
            body = await connection.scalar(statement)
        return None if body is None else json.loads(body)

    async def find(self, collection: str, selection: Selection) -> Sequence[Document]:
        """Ties keep the order in which they were added."""
        statement = _documents(collection).where(*_conditions(selection)).order_by(*_order(selection))
        page = statement.offset(selection.skip).limit(selection.limit)
        async with self._database.read() as connection:
            return [json.loads(body) for body in await connection.scalars(page)]


def _documents(collection: str) -> Select[Any]:
    return select(column("body")).select_from(table(f"mongo_{collection}"))


def _member(name: str) -> ColumnElement[Any]:
    return func.json_extract(column("body"), f"$.{name}", type_=Float)


def _conditions(selection: Selection) -> list[ColumnElement[bool]]:
    return [func.json_extract(column("body"), f"$.{name}").in_(texts) for name, texts in selection.equals.items()]


def _order(selection: Selection) -> list[ColumnElement[Any]]:
    keys = [(_member(name), descending) for name, descending in selection.descending.items()]
    return [*(key.desc() if descending else key.asc() for key, descending in keys), literal_column("rowid")]
