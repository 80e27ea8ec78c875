"""Contract section 5: purchases and transactions."""

from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import ANY_USER, may
from examples.monolith.http.listing import Listing
from examples.monolith.http.refusals import InternalFailure, forbidden
from examples.monolith.http.wire import Answer, enveloped
from examples.monolith.routing.call import Call
from examples.monolith.routing.routes import Route
from examples.monolith.shop.items import find_item, item_json
from examples.monolith.storage.database import Database
from examples.monolith.storage.documents import Document
from examples.monolith.storage.postgres_values import postgres_uuid
from examples.monolith.storage.rows import insert_row
from examples.monolith.storage.sql_page import count_of, rows_of
from examples.monolith.storage.tables import transactions, users
from examples.monolith.users.users import find_user


async def get_bought_item(call: Call) -> Answer:
    async with call.monolith.database.read() as connection:
        bought = await _has_bought(connection, call.user_id, call.params["id"])
        item = item_json(await find_item(connection, call.params["id"]))
    return enveloped(item if bought else item | {"data": None})


async def buy_item(call: Call) -> Answer:
    """Check, check, then write what was computed before: nothing is locked in between (fault F1)."""
    async with call.monolith.database.read() as connection:
        bought = await _has_bought(connection, call.user_id, call.params["id"])
        item = await find_item(connection, call.params["id"])
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


ROUTES = (
    Route("POST", "/item/buy/:id", buy_item, ANY_USER),
    Route("GET", "/item/bought/:id", get_bought_item, ANY_USER),
    Route("GET", "/transactions", list_transactions, may("read", "transaction"), listing=Listing()),
)
