"""Contract section 4.4: members of teams."""

from typing import Any

from sqlalchemy import Row, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import Attributes, Guards, Permission, PermissionRequest, may
from examples.monolith.http.errors import bad_request, conflict, not_found
from examples.monolith.http.wire import ResponseContent, data_response
from examples.monolith.outgoing.mails import Mail, joined_team, left_team
from examples.monolith.routing import CheckedRequest, Endpoint, Parameters
from examples.monolith.storage.rows import insert_row
from examples.monolith.storage.tables import auth_roles, auth_subject_roles, team_members, user_emails
from examples.monolith.teams.teams import CAPTAIN, MEMBER, find_team, role_name, team_json
from examples.monolith.users.accounts import add_role, subject_of
from examples.monolith.users.users import find_user
from examples.monolith.validation.shapes import IS_UUID_V4, Shape, is_uuid, required

WHO: Shape = {"userId": required(IS_UUID_V4)}


async def add_member(request: CheckedRequest) -> ResponseContent:
    """The user is a member at once, without an invitation to accept."""
    async with request.monolith.database.write() as connection:
        team = await find_team(connection, request.params["teamId"])
        guest = await find_user(connection, request.body["userId"].lower())
        inviter = await find_user(connection, request.user_id)
        if await _role_in(connection, team.id, guest.id) is not None:
            raise conflict("User is already a member of the team")
        await insert_row(connection, team_members, role=MEMBER, team_id=team.id, user_id=guest.id)
        await add_role(connection, await subject_of(connection, guest.id), await _role_of_members(connection, team.id))
        address = await _first_address(connection, guest.id)
        answer = data_response(await team_json(connection, team), 201)
    if address is not None:
        _send(
            request, joined_team(request.monolith.settings.mail, address, guest.username, inviter.username, team.name)
        )
    return answer


async def remove_member(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.write() as connection:
        team = await find_team(connection, request.params["teamId"])
        user = await find_user(connection, request.body["userId"].lower())
        role = await _role_in(connection, team.id, user.id)
        if role is None:
            raise not_found("User is not a member of the team")
        if role == CAPTAIN:
            raise conflict("You cannot delete the captain of a team")
        await _remove(connection, team, user)
        address = await _first_address(connection, user.id)
        answer = data_response(await team_json(connection, team))
    if address is not None:
        _send(request, left_team(request.monolith.settings.mail, address, user.username, team.name))
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
    """The user's oldest address, verified or not; None without one."""
    mine = select(user_emails.c.email).where(user_emails.c.user_id == user_id).order_by(user_emails.c.created_at)
    address: str | None = await connection.scalar(mine.limit(1))
    return address


def _send(request: CheckedRequest, mail: Mail) -> None:
    request.monolith.mailer.send(mail)


def check_team_id(params: Parameters) -> None:
    if not is_uuid(params["teamId"]):
        raise bad_request("Validation failed (uuid  is expected)")


def _of_team(request: PermissionRequest) -> Attributes:
    return {"team_id": request.params["teamId"]}


def _of_member(request: PermissionRequest) -> Attributes:
    return {"user_id": request.body.get("userId") if isinstance(request.body, dict) else None}


REMOVE = Guards(
    permissions=(Permission("delete", "team_member", _of_team), Permission("delete", "team_member", _of_member))
)
ADD = may("create", "team_member", _of_team)

ENDPOINTS = (
    Endpoint("POST", "/team/:teamId/members", add_member, ADD, body=WHO, check=check_team_id),
    Endpoint("DELETE", "/team/:teamId/members", remove_member, REMOVE, body=WHO, check=check_team_id),
)
