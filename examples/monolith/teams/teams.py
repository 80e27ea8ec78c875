"""Contract section 4.4: teams."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import Row, delete, select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import Attributes, PermissionRequest, may
from examples.monolith.http.errors import not_found
from examples.monolith.http.listing import Listing
from examples.monolith.http.wire import ResponseContent, data_response, empty_response
from examples.monolith.routing import CheckedRequest, Endpoint
from examples.monolith.storage.postgres_values import postgres_texts, postgres_uuid
from examples.monolith.storage.rows import change_row, heap_order, insert_row
from examples.monolith.storage.sql_page import count_of, rows_of
from examples.monolith.storage.tables import auth_role_policies, auth_roles, team_members, teams, users
from examples.monolith.users.accounts import add_role, refuse_taken, subject_of
from examples.monolith.validation.shapes import IS_STRING, Shape, length, optional, required

CAPTAIN, MEMBER = "captain", "member"
NEW_TEAM: Shape = {
    "name": required(IS_STRING, *length(3, 20)),
    "description": optional(IS_STRING, *length(0, 255)),
}
TEAM_CHANGES: Shape = {
    "name": optional(IS_STRING, *length(3, 20)),
    "description": optional(IS_STRING, *length(0, 255)),
}


async def create_team(request: CheckedRequest) -> ResponseContent:
    new = postgres_texts({"description": None} | request.body)
    async with request.monolith.database.write() as connection:
        await refuse_taken(connection, teams, name=new["name"])
        team_id = await insert_row(connection, teams, **new)
        await insert_row(connection, team_members, role=CAPTAIN, team_id=team_id, user_id=request.user_id)
        await _add_roles(connection, team_id, new["name"], await subject_of(connection, request.user_id))
        return data_response(await team_json(connection, await find_team(connection, team_id)), 201)


async def _add_roles(connection: AsyncConnection, team_id: str, name: str, captain: str) -> None:
    """Adds two roles and gives both to the captain, a subject's id; the member's role has no policy."""
    description = f"Role for captain of the team '{name}'"
    captains = await insert_row(connection, auth_roles, name=role_name(team_id, CAPTAIN), description=description)
    for resource, attributes in (("team", {"id": team_id}), ("team_member", {"team_id": team_id})):
        policy = {"action": "manage", "resource": resource, "attributes": attributes, "role_id": captains}
        await insert_row(connection, auth_role_policies, **policy)
    description = f"Role for members of the team '{name}'"
    members = await insert_row(connection, auth_roles, name=role_name(team_id, MEMBER), description=description)
    for role_id in (captains, members):
        await add_role(connection, captain, role_id)


async def list_teams(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.read() as connection:
        rows = (await connection.execute(rows_of(connection, teams, request.page))).all()
        total = await count_of(connection, teams, request.page)
        found = await _teams_json(connection, rows)
    return data_response(found, metadata=request.page.metadata(len(found), total))


async def get_team(request: CheckedRequest) -> ResponseContent:
    async with request.monolith.database.read() as connection:
        return data_response(await team_json(connection, await find_team(connection, request.params["teamId"])))


async def change_team(request: CheckedRequest) -> ResponseContent:
    """A taken name, or null, fails in the database: 500 (fault F11)."""
    async with request.monolith.database.write() as connection:
        team = await find_team(connection, request.params["teamId"])
        await change_row(connection, teams, team, **postgres_texts(request.body))
        return data_response(await team_json(connection, await find_team(connection, team.id)))


async def delete_team(request: CheckedRequest) -> ResponseContent:
    """Deletes roles and team; the database deletes policies, subjects' roles and members with them."""
    async with request.monolith.database.write() as connection:
        team = await find_team(connection, request.params["teamId"])
        names = [role_name(team.id, role) for role in (CAPTAIN, MEMBER)]
        await connection.execute(delete(auth_roles).where(auth_roles.c.name.in_(names)))
        await connection.execute(delete(teams).where(teams.c.id == team.id))
    return empty_response(204)


async def find_team(connection: AsyncConnection, team_id: str) -> Row[Any]:
    team = (await connection.execute(select(teams).where(teams.c.id == postgres_uuid(team_id)))).first()
    if team is None:
        raise not_found()
    return team


def role_name(team_id: str, role: str) -> str:
    return f"team::{team_id}::{role}"


async def team_json(connection: AsyncConnection, team: Row[Any]) -> dict[str, Any]:
    return (await _teams_json(connection, [team]))[0]


async def _teams_json(connection: AsyncConnection, found: Iterable[Row[Any]]) -> list[dict[str, Any]]:
    """Members are in the order of PostgreSQL's `user` table."""
    shown = {team.id: _team_json(team) for team in found}
    members = select(team_members.c.team_id, team_members.c.role, users.c.id, users.c.username, users.c.points)
    of_teams = members.join(users, users.c.id == team_members.c.user_id).where(team_members.c.team_id.in_(shown))
    for row in await connection.execute(of_teams.order_by(*heap_order(connection, users))):
        member = {"id": row.id, "username": row.username, "points": row.points, "role": row.role}
        shown[row.team_id]["members"].append(member)
    return list(shown.values())


def _team_json(team: Row[Any]) -> dict[str, Any]:
    return {"id": team.id, "name": team.name, "description": team.description, "members": []}


def of_team(request: PermissionRequest) -> Attributes:
    return {"id": request.params["teamId"]}


ENDPOINTS = (
    Endpoint("POST", "/team", create_team, may("create", "team"), body=NEW_TEAM),
    Endpoint("GET", "/team", list_teams, may("read", "team"), listing=Listing(("name",), {"name": True})),
    Endpoint("GET", "/team/:teamId", get_team, may("read", "team", of_team)),
    Endpoint("PATCH", "/team/:teamId", change_team, may("update", "team", of_team), body=TEAM_CHANGES),
    Endpoint("DELETE", "/team/:teamId", delete_team, may("delete", "team", of_team)),
)
