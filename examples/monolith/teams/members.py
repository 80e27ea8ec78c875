"""Contract section 4.4: who is in a team."""

from typing import Any

from sqlalchemy import Row, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import Access, Asked, Attributes, Permission, may
from examples.monolith.http.refusals import bad_request, conflict, not_found
from examples.monolith.http.wire import Answer, enveloped
from examples.monolith.outgoing.mails import Mail, joined_team, left_team
from examples.monolith.routing.call import Call
from examples.monolith.routing.routes import Parameters, Route
from examples.monolith.storage.rows import insert_row
from examples.monolith.storage.tables import auth_roles, auth_subject_roles, team_members, user_emails
from examples.monolith.teams.teams import CAPTAIN, MEMBER, find_team, role_name, team_json
from examples.monolith.users.accounts import add_role, subject_of
from examples.monolith.users.users import find_user
from examples.monolith.validation.shapes import IS_UUID_V4, Shape, is_uuid, required

WHO: Shape = {"userId": required(IS_UUID_V4)}


async def add_member(call: Call) -> Answer:
    """A member at once: nothing has to be accepted."""
    async with call.monolith.database.write() as connection:
        team = await find_team(connection, call.params["teamId"])
        guest = await find_user(connection, call.body["userId"].lower())
        inviter = await find_user(connection, call.user_id)
        if await _role_in(connection, team.id, guest.id) is not None:
            raise conflict("User is already a member of the team")
        await insert_row(connection, team_members, role=MEMBER, team_id=team.id, user_id=guest.id)
        await add_role(connection, await subject_of(connection, guest.id), await _role_of_members(connection, team.id))
        address = await _first_address(connection, guest.id)
        answer = enveloped(await team_json(connection, team), 201)
    if address is not None:
        _send(call, joined_team(call.monolith.settings.mail, address, guest.username, inviter.username, team.name))
    return answer


async def remove_member(call: Call) -> Answer:
    async with call.monolith.database.write() as connection:
        team = await find_team(connection, call.params["teamId"])
        user = await find_user(connection, call.body["userId"].lower())
        role = await _role_in(connection, team.id, user.id)
        if role is None:
            raise not_found("User is not a member of the team")
        if role == CAPTAIN:
            raise conflict("You cannot delete the captain of a team")
        await _remove(connection, team, user)
        address = await _first_address(connection, user.id)
        answer = enveloped(await team_json(connection, team))
    if address is not None:
        _send(call, left_team(call.monolith.settings.mail, address, user.username, team.name))
    return answer


async def _role_in(connection: AsyncConnection, team_id: str, user_id: str) -> str | None:
    both = team_members.c.team_id == team_id, team_members.c.user_id == user_id
    role: str | None = await connection.scalar(select(team_members.c.role).where(*both))
    return role


async def _role_of_members(connection: AsyncConnection, team_id: str) -> str:
    by_name = auth_roles.c.name == role_name(team_id, MEMBER)
    return str(await connection.scalar(select(auth_roles.c.id).where(by_name)))


async def _remove(connection: AsyncConnection, team: Row[Any], user: Row[Any]) -> None:
    both = team_members.c.team_id == team.id, team_members.c.user_id == user.id
    await connection.execute(delete(team_members).where(*both))
    role_id, subject_id = await _role_of_members(connection, team.id), await subject_of(connection, user.id)
    held = auth_subject_roles.c.role_id == role_id, auth_subject_roles.c.subject_id == subject_id
    await connection.execute(delete(auth_subject_roles).where(*held))


async def _first_address(connection: AsyncConnection, user_id: str) -> str | None:
    """Verified or not; a user may have none left."""
    mine = select(user_emails.c.email).where(user_emails.c.user_id == user_id).order_by(user_emails.c.created_at)
    address: str | None = await connection.scalar(mine.limit(1))
    return address


def _send(call: Call, mail: Mail) -> None:
    call.monolith.mailer.send(mail)


def check_team_id(params: Parameters) -> None:
    if not is_uuid(params["teamId"]):
        raise bad_request("Validation failed (uuid  is expected)")


def _of_team(asked: Asked) -> Attributes:
    return {"team_id": asked.params["teamId"]}


def _of_member(asked: Asked) -> Attributes:
    return {"user_id": asked.body.get("userId") if isinstance(asked.body, dict) else None}


REMOVE = Access(
    permissions=(Permission("delete", "team_member", _of_team), Permission("delete", "team_member", _of_member))
)
ADD = may("create", "team_member", _of_team)

ROUTES = (
    Route("POST", "/team/:teamId/members", add_member, ADD, body=WHO, check=check_team_id),
    Route("DELETE", "/team/:teamId/members", remove_member, REMOVE, body=WHO, check=check_team_id),
)
