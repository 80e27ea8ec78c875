"""MongoDB collections kept as JSON: table `mongo_<collection>` with `_id`, `id` and the whole document in `body`."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from sqlalchemy import Boolean, ColumnElement, Table, delete, func, insert, select, text, update
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.http.errors import InternalFailure, UncaughtFailure
from examples.monolith.http.listing import Page, mongo_order
from examples.monolith.storage.regular_expressions import checked

Document = dict[str, Any]
Key = Literal["_id", "id"]
"""`_id` is an ObjectId as hex digits, `id` the public id."""


class DocumentTables:
    """Works in the transaction of one connection."""

    def __init__(self, connection: AsyncConnection) -> None:
        self._connection = connection

    async def insert(self, collection: Table, body: Document) -> None:
        row = {"_id": body["_id"]["$oid"], "id": body["id"], "body": body}
        await self._connection.execute(insert(collection).values(row))

    async def find_one(self, collection: Table, wanted: Mapping[str, str]) -> Document | None:
        """The first document with these text fields."""
        conditions = [_text(collection, name) == value for name, value in wanted.items()]
        body: Document | None = await self._connection.scalar(select(collection.c.body).where(*conditions).limit(1))
        return body

    async def find_page(self, collection: Table, page: Page) -> list[Document]:
        order = [_directed(collection, key, descending) for key, descending in mongo_order(page).items()]
        conditions = _any_of(collection, page) + _filters(collection, page)
        query = select(collection.c.body).where(*conditions).order_by(*order, text("rowid"))
        return list(await self._connection.scalars(query.offset(page.offset).limit(page.limit)))

    async def find_all(self, collection: Table, key: Key, values: Iterable[str]) -> list[Document]:
        wanted = collection.c[key].in_(set(values))
        return list(await self._connection.scalars(select(collection.c.body).where(wanted)))

    async def set_fields(self, collection: Table, public_id: str, fields: Mapping[str, Any]) -> Document | None:
        document = await self.find_one(collection, {"id": public_id})
        if document is None:
            return None
        changed = document | dict(fields)
        await self._connection.execute(update(collection).where(collection.c.id == public_id).values(body=changed))
        return changed

    async def remove(self, collection: Table, public_id: str) -> bool:
        result = await self._connection.execute(delete(collection).where(collection.c.id == public_id))
        return result.rowcount > 0


def _text(collection: Table, name: str) -> ColumnElement[Any]:
    """`id` has its own column and index."""
    return collection.c.id if name == "id" else collection.c.body[name].as_string()


def _field(collection: Table, name: str) -> ColumnElement[Any]:
    return func.json_extract(collection.c.body, f"$.{name}")


def _directed(collection: Table, name: str, descending: bool) -> ColumnElement[Any]:
    return _field(collection, name).desc() if descending else _field(collection, name).asc()


def _filters(collection: Table, page: Page) -> list[ColumnElement[bool]]:
    return [_filter(collection, name, value, page.matching[name]) for name, value in (page.filters or {}).items()]


def _filter(collection: Table, name: str, value: Any, matching: bool) -> ColumnElement[bool]:
    """A condition on a text, or for equality on any of several texts; Mongoose casts no other type to text."""
    field = _field(collection, name)
    if isinstance(value, str):
        return func.found_in(checked(value), field, type_=Boolean) if matching else field == value
    if matching or not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise InternalFailure(f"{name} is not a text")
    return field.in_(value)


def _any_of(collection: Table, page: Page) -> list[ColumnElement[bool]]:
    """`[a,b]`: drops first and last character unchecked, as the monolith does; a list or object fails."""
    conditions: list[ColumnElement[bool]] = []
    for name, value in page.arrays.items():
        if not isinstance(value, str):
            raise UncaughtFailure(f"{name} is not a text")
        element = func.json_each(collection.c.body, f"$.{name}").table_valued("value")
        conditions.append(select(element.c.value).where(element.c.value.in_(value[1:-1].split(","))).exists())
    return conditions
