"""Documents as they are stored: in the SQLite file's tables, or on a server that speaks MongoDB's protocol."""

from typing import Any

from bson import ObjectId
from pymongo import MongoClient
from sqlalchemy import Engine, delete, insert, select, text, update

from examples.monolith.storage import tables
from examples.monolith.storage.document_server import shown

Document = dict[str, Any]
INT32 = range(-(2**31), 2**31)


class TableItems:
    """Rows of `mongo_items`."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def close(self) -> None:
        """The engine is somebody else's."""

    def all(self, collection: str) -> list[Document]:
        """In the order of insertion."""
        table = tables.metadata.tables[f"mongo_{collection}"]
        with self._engine.connect() as connection:
            return list(connection.scalars(select(table.c.body).order_by(text("rowid"))))

    def insert(self, body: Document) -> None:
        self._run(insert(tables.items).values({"_id": body["_id"]["$oid"], "id": body["id"], "body": body}))

    def find(self, item_id: str) -> Document | None:
        with self._engine.connect() as connection:
            query = select(tables.items.c.body).where(tables.items.c.id == item_id)
            body: Document | None = connection.scalar(query)
        return body

    def set(self, item_id: str, fields: Document) -> None:
        self.replace(item_id, {**(self.find(item_id) or {}), **fields})

    def replace(self, item_id: str, body: Document) -> None:
        self._run(update(tables.items).where(tables.items.c.id == item_id).values(body=body))

    def remove(self, item_id: str) -> None:
        self._run(delete(tables.items).where(tables.items.c.id == item_id))

    def _run(self, statement: Any) -> None:
        with self._engine.begin() as connection:
            connection.execute(statement)


class ServerItems:
    """The server's collections, and `items` to write to; numbers as JavaScript would have stored them."""

    def __init__(self, url: str) -> None:
        self._client = MongoClient[Document](url)
        self._database = self._client.get_default_database()
        self._items = self._database["items"]

    def close(self) -> None:
        self._client.close()

    def all(self, collection: str) -> list[Document]:
        """In the order of insertion."""
        return [shown(document) for document in self._database[collection].find(sort=[("_id", 1)])]

    def insert(self, body: Document) -> None:
        self._items.insert_one(_stored(body) | {"_id": ObjectId(body["_id"]["$oid"])})

    def find(self, item_id: str) -> Document | None:
        found = self._items.find_one({"id": item_id})
        return None if found is None else found | {"_id": {"$oid": str(found["_id"])}}

    def set(self, item_id: str, fields: Document) -> None:
        self._items.update_one({"id": item_id}, {"$set": _stored(fields)})

    def replace(self, item_id: str, body: Document) -> None:
        self._items.replace_one({"id": item_id}, body)

    def remove(self, item_id: str) -> None:
        self._items.delete_one({"id": item_id})


def _stored(fields: Document) -> Document:
    return {
        name: float(value) if isinstance(value, int) and value not in INT32 else value for name, value in fields.items()
    }
