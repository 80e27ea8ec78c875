"""Contract section 4.1: users."""

import uuid
from typing import Any

from sqlalchemy import Row, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.access import OPEN, OWN, may, of_user
from examples.monolith.accounts import NewUser, add_user
from examples.monolith.database import postgres_text
from examples.monolith.passwords import hashed
from examples.monolith.refusals import bad_request, conflict, not_found
from examples.monolith.routing import Call, Route
from examples.monolith.tables import users
from examples.monolith.validation import IS_EMAIL, IS_STRING, is_uuid, length, required
from examples.monolith.wire import Answer, enveloped

SIGN_UP = {
    "username": required(IS_STRING, *length(3, 20)),
    "password": required(IS_STRING, *length(8, 255)),
    "email": required(IS_EMAIL),
}


async def create_user(call: Call) -> Answer:
    """Mail is not sent: the verification token is in `user_emails` alone."""
    new = NewUser(postgres_text(call.body["username"]), call.body["email"])
    secret = await hashed(call.body["password"])
    try:
        async with call.monolith.database.write() as connection:
            user_id = await add_user(connection, new, secret)
            return enveloped(user_json(await find_user(connection, user_id)), 201)
    except IntegrityError as error:
        raise conflict() from error


async def get_user(call: Call) -> Answer:
    async with call.monolith.database.read() as connection:
        user = await find_user(connection, wanted_user(call))
        return enveloped(user_json(user) | {"rank": await _rank(connection, user.points)})


def wanted_user(call: Call) -> str:
    wanted = call.params["userId"]
    if wanted == OWN:
        return call.user_id
    if not is_uuid(wanted):
        raise bad_request("Invalid userId")
    return str(uuid.UUID(wanted))


async def find_user(connection: AsyncConnection, user_id: str) -> Row[Any]:
    user = (await connection.execute(select(users).where(users.c.id == user_id))).first()
    if user is None:
        raise not_found()
    return user


async def _rank(connection: AsyncConnection, points: int) -> int:
    ahead = await connection.scalar(select(func.count()).select_from(users).where(users.c.points > points))
    return 1 + (ahead or 0)


def user_json(user: Row[Any]) -> dict[str, Any]:
    return {"id": user.id, "username": user.username, "description": user.description, "points": user.points}


ROUTES = (
    Route("POST", "/user", create_user, OPEN, body=SIGN_UP),
    Route("GET", "/user/:userId", get_user, may("read", "user", of_user("id"))),
)
