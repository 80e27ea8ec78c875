"""Contract section 4.1: users."""

import uuid
from typing import Any

from sqlalchemy import Row, delete, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import OPEN, OWN, may, of_user
from examples.monolith.auth.passwords import hashed
from examples.monolith.http.errors import bad_request, not_found
from examples.monolith.http.listing import Listing
from examples.monolith.http.wire import ResponseContent, data_response
from examples.monolith.outgoing.mails import verification
from examples.monolith.routing import CheckedRequest, Endpoint, Parameters
from examples.monolith.storage.postgres_values import postgres_text, postgres_texts
from examples.monolith.storage.rows import change_row, heap_order
from examples.monolith.storage.sql_page import count_of, rows_of
from examples.monolith.storage.tables import team_members, teams, user_emails, users
from examples.monolith.users.accounts import NewUser, add_user, refuse_taken
from examples.monolith.validation.shapes import IS_EMAIL, IS_STRING, Shape, is_uuid, length, optional, required

USERNAME = IS_STRING, *length(3, 20)
SIGN_UP: Shape = {
    "username": required(*USERNAME),
    "password": required(IS_STRING, *length(8, 255)),
    "email": required(IS_EMAIL),
}
USER_CHANGES: Shape = {"username": optional(*USERNAME), "description": optional(IS_STRING)}


async def create_user(request: CheckedRequest) -> ResponseContent:
    """Sends the mail before it writes anything (fault F8)."""
    token = str(uuid.uuid4())
    new = NewUser(postgres_text(request.body["username"]), request.body["email"], token)
    async with request.monolith.database.read() as connection:
        await _refuse_taken(connection, new)
    request.monolith.mailer.send(verification(request.monolith.settings.mail, new.email, new.username, token))
    secret = await hashed(request.body["password"], request.monolith.settings.password_rounds)
    async with request.monolith.database.write() as connection:
        await _refuse_taken(connection, new)
        user_id = await add_user(connection, new, secret)
        return data_response(user_json(await find_user(connection, user_id)), 201)


async def _refuse_taken(connection: AsyncConnection, new: NewUser) -> None:
    """Does not check log-ins: one with that name ends in a 500."""
    await refuse_taken(connection, users, username=new.username)
    await refuse_taken(connection, user_emails, email=new.email)


async def list_users(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.read() as connection:
        found = [user_json(row) for row in await connection.execute(rows_of(connection, users, request.page))]
        total = await count_of(connection, users, request.page)
    return data_response(found, metadata=request.page.metadata(len(found), total))


async def get_user(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.read() as connection:
        user = await find_user(connection, wanted_user(request))
        return data_response(user_json(user) | {"rank": await _rank(connection, user.points)})


async def change_user(request: CheckedRequest) -> ResponseContent:
    """A taken name, or null, fails in the database: 500 (fault F11)."""
    async with request.monolith.database.write() as connection:
        user = await find_user(connection, wanted_user(request))
        await change_row(connection, users, user, **postgres_texts(request.body))
        return data_response(user_json(await find_user(connection, user.id)))


async def delete_user(request: CheckedRequest) -> ResponseContent:
    """Deletes one row only: subject, credentials, tokens, e-mails and settings stay (fault F12)."""
    async with request.monolith.database.write() as connection:
        user = await find_user(connection, wanted_user(request))
        await connection.execute(delete(users).where(users.c.id == user.id))
    return data_response({}, 204)


async def list_teams_of_user(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.read() as connection:
        user = await find_user(connection, wanted_user(request))
        mine = select(teams.c.id).join(team_members, team_members.c.team_id == teams.c.id)
        ids = await connection.scalars(
            mine.where(team_members.c.user_id == user.id).order_by(*heap_order(connection, teams))
        )
        return data_response({"teams": [{"id": team_id} for team_id in ids]})


def wanted_user(request: CheckedRequest) -> str:
    """The id of the user that the path names."""
    wanted = request.params["userId"]
    return request.user_id if wanted == OWN else str(uuid.UUID(wanted))


def check_user_id(params: Parameters) -> None:
    if params["userId"] != OWN and not is_uuid(params["userId"]):
        raise bad_request("Invalid userId")


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


LISTING = Listing(("points", "username"), {"username": True})
READ, UPDATE, DELETE = (may(action, "user", of_user("id")) for action in ("read", "update", "delete"))

ENDPOINTS = (
    Endpoint("POST", "/user", create_user, OPEN, body=SIGN_UP),
    Endpoint("GET", "/user", list_users, may("read", "user"), listing=LISTING),
    Endpoint("GET", "/user/:userId", get_user, READ, check=check_user_id),
    Endpoint("PATCH", "/user/:userId", change_user, UPDATE, body=USER_CHANGES, check=check_user_id),
    Endpoint("DELETE", "/user/:userId", delete_user, DELETE, check=check_user_id),
    Endpoint("GET", "/user/:userId/teams", list_teams_of_user, READ, check=check_user_id),
)
