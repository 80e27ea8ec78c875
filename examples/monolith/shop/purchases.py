"""Contract section 5: purchases and transactions."""

from datetime import UTC, datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import ANY_USER, may
from examples.monolith.http.errors import InternalFailure, forbidden
from examples.monolith.http.listing import Listing
from examples.monolith.http.wire import ResponseContent, data_response
from examples.monolith.routing import CheckedRequest, Endpoint
from examples.monolith.shop.items import find_item, item_json
from examples.monolith.storage.database import Database
from examples.monolith.storage.documents import Document
from examples.monolith.storage.postgres_values import postgres_uuid
from examples.monolith.storage.rows import insert_row
from examples.monolith.storage.sql_page import count_of, rows_of
from examples.monolith.storage.tables import transactions, users
from examples.monolith.users.users import find_user


async def get_bought_item(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.read() as connection:
        bought = await _has_bought(connection, request.user_id, request.params["id"])
        item = item_json(await find_item(connection, request.params["id"]))
    return data_response(item if bought else item | {"data": None})


async def buy_item(request: CheckedRequest) -> ResponseContent:
    """Checks, then writes points computed before the check, without a lock (fault F1)."""
    async with request.monolith.database.read() as connection:
        bought = await _has_bought(connection, request.user_id, request.params["id"])
        item = await find_item(connection, request.params["id"])
        points = None if bought else (await find_user(connection, request.user_id)).points
    if points is not None:
        await _charge(request.monolith.database, request.user_id, item, points)
    return data_response(item_json(item), 201)


async def _charge(database: Database, user_id: str, item: Document, points: int) -> None:
    left = points - item["cost"]
    if left < 0:
        await database.leak()  # fault F2: the transaction is neither committed nor rolled back
        raise forbidden("Not enought points!")
    if left != int(left):
        raise InternalFailure("the points column takes whole numbers only")
    async with database.write() as connection:
        await insert_row(connection, transactions, user_id=user_id, object_id=item["id"])
        changes = {"points": int(left), "updated_at": datetime.now(UTC)}
        await connection.execute(update(users).where(users.c.id == user_id).values(changes))


async def list_transactions(request: CheckedRequest) -> ResponseContent:
    live = transactions.c.deleted_at.is_(None)
    async with request.monolith.database.read() as connection:
        total = await count_of(connection, transactions, request.page, live)
        rows = await connection.execute(rows_of(connection, transactions, request.page).where(live))
    found = [{"id": row.id, "userId": row.user_id, "objectId": row.object_id} for row in rows]
    return data_response(found, metadata=request.page.metadata(len(found), total))


async def _has_bought(connection: AsyncConnection, user_id: str, item_id: str) -> bool:
    """Runs before the item is searched: an invalid UUID is a 500, not a 404."""
    query = select(transactions.c.id).where(
        transactions.c.user_id == user_id,
        transactions.c.object_id == postgres_uuid(item_id),
        transactions.c.deleted_at.is_(None),
    )
    return (await connection.execute(query.limit(1))).first() is not None


ENDPOINTS = (
    Endpoint("POST", "/item/buy/:id", buy_item, ANY_USER),
    Endpoint("GET", "/item/bought/:id", get_bought_item, ANY_USER),
    Endpoint("GET", "/transactions", list_transactions, may("read", "transaction"), listing=Listing()),
)
