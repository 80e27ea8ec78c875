"""Contract section 5: items, purchases, transactions."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith import documents
from examples.monolith.access import ANY_USER, may
from examples.monolith.database import Database, insert_row, postgres_uuid
from examples.monolith.documents import Document
from examples.monolith.listing import Listing
from examples.monolith.refusals import InternalFailure, forbidden, not_found
from examples.monolith.routing import Call, Route
from examples.monolith.sql_page import count_of, rows_of
from examples.monolith.tables import items, transactions, users
from examples.monolith.users import find_user
from examples.monolith.validation import IS_NUMBER, IS_STRING, Shape, at_least, nested, one_of, optional, required
from examples.monolith.wire import Answer, enveloped, nothing

TYPES = ("hint", "validator")
HINT: Shape = {"text": required(IS_STRING)}
NEW_ITEM: Shape = {
    "cost": required(IS_NUMBER, at_least(0)),
    "type": required(one_of(*TYPES)),
    "data": nested(HINT),
}
ITEM_CHANGES: Shape = {
    "cost": optional(IS_NUMBER, at_least(0)),
    "type": optional(one_of(*TYPES)),
    "data": nested(HINT, optional=True),
}


async def create_item(call: Call) -> Answer:
    new = {name: call.body[name] for name in NEW_ITEM} | {"id": str(uuid.uuid4())}
    async with call.monolith.database.write() as connection:
        item = await documents.add(connection, items, call.monolith.object_ids.next(), new)
    return enveloped(item_json(item), 201)


async def list_items(call: Call) -> Answer:
    async with call.monolith.database.read() as connection:
        found = await documents.find_page(connection, items, call.page)
    return enveloped([item_json(item) for item in found], metadata=call.page.metadata(len(found)))


async def get_item(call: Call) -> Answer:
    async with call.monolith.database.read() as connection:
        return enveloped(item_json(await _find_item(connection, call.params["id"])))


async def change_item(call: Call) -> Answer:
    async with call.monolith.database.write() as connection:
        item = await documents.set_fields(connection, items, call.params["id"], call.body)
    if item is None:
        raise not_found()
    return enveloped(item_json(item))


async def delete_item(call: Call) -> Answer:
    async with call.monolith.database.write() as connection:
        if not await documents.remove(connection, items, call.params["id"]):
            raise not_found()
    return nothing(200)


async def get_bought_item(call: Call) -> Answer:
    async with call.monolith.database.read() as connection:
        bought = await _has_bought(connection, call.user_id, call.params["id"])
        item = item_json(await _find_item(connection, call.params["id"]))
    return enveloped(item if bought else item | {"data": None})


async def buy_item(call: Call) -> Answer:
    """Check, check, then write what was computed before: nothing is locked in between (fault F1)."""
    async with call.monolith.database.read() as connection:
        bought = await _has_bought(connection, call.user_id, call.params["id"])
        item = await _find_item(connection, call.params["id"])
        points = None if bought else (await find_user(connection, call.user_id)).points
    if points is not None:
        await _charge(call.monolith.database, call.user_id, item, points)
    return enveloped(item_json(item), 201)


async def _charge(database: Database, user_id: str, item: Document, points: int) -> None:
    left = points - item["cost"]
    if left < 0:
        await database.leak()  # fault F2: the transaction is neither committed nor rolled back
        raise forbidden("Not enought points!")
    if left != int(left):
        raise InternalFailure("the points column takes whole numbers alone")
    async with database.write() as connection:
        await insert_row(connection, transactions, user_id=user_id, object_id=item["id"])
        changes = {"points": int(left), "updated_at": datetime.now(UTC)}
        await connection.execute(update(users).where(users.c.id == user_id).values(changes))


async def list_transactions(call: Call) -> Answer:
    live = transactions.c.deleted_at.is_(None)
    async with call.monolith.database.read() as connection:
        total = await count_of(connection, transactions, call.page, live)
        rows = await connection.execute(rows_of(connection, transactions, call.page).where(live))
    found = [{"id": row.id, "userId": row.user_id, "objectId": row.object_id} for row in rows]
    return enveloped(found, metadata=call.page.metadata(len(found), total))


async def _has_bought(connection: AsyncConnection, user_id: str, item_id: str) -> bool:
    """Asked before the item is looked for: what is no UUID is a 500, not a 404."""
    query = select(transactions.c.id).where(
        transactions.c.user_id == user_id,
        transactions.c.object_id == postgres_uuid(item_id),
        transactions.c.deleted_at.is_(None),
    )
    return (await connection.execute(query.limit(1))).first() is not None


async def _find_item(connection: AsyncConnection, item_id: str) -> Document:
    item = await documents.find_one(connection, items, item_id)
    if item is None:
        raise not_found()
    return item


def item_json(item: Document) -> dict[str, Any]:
    return {name: item.get(name) for name in ("id", "cost", "type", "data")}


ROUTES = (
    Route("POST", "/item", create_item, may("create", "item"), body=NEW_ITEM),
    Route("GET", "/item", list_items, may("read", "item"), listing=Listing(("cost",), {"type": False})),
    Route("GET", "/item/:id", get_item, may("read", "item")),
    Route("PATCH", "/item/:id", change_item, may("update", "item"), body=ITEM_CHANGES),
    Route("DELETE", "/item/:id", delete_item, may("delete", "item")),
    Route("POST", "/item/buy/:id", buy_item, ANY_USER),
    Route("GET", "/item/bought/:id", get_bought_item, ANY_USER),
    Route("GET", "/transactions", list_transactions, may("read", "transaction"), listing=Listing()),
)
