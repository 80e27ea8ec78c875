"""A team's further rows: roles, policies, members, and the members' mail addresses.

All functions run in the transaction of the caller's connection.
"""

import uuid
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Table, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from extracted.account.mail_requests.domain import Addressee
from extracted.account.teams.domain import CAPTAIN, MEMBER, role_in_team
from legacy_adapter.account.roles import give_role
from legacy_adapter.rows import inserted
from legacy_adapter.tables import (
    role_policies,
    roles,
    subject_roles,
    subjects,
    team_members,
    user_emails,
    user_settings,
    users,
)

_DESCRIPTIONS: Final = {CAPTAIN: "Role for captain of the team", MEMBER: "Role for members of the team"}


async def add_roles(connection: AsyncConnection, team_id: str, name: str | None, captain: str, at: datetime) -> None:
    """Adds two roles and gives both to the captain (a subject's id). The member's role has no policy."""
    added = {role: await _add_role(connection, team_id, role, name, at) for role in (CAPTAIN, MEMBER)}
    for resource, attributes in (("team", {"id": team_id}), ("team_member", {"team_id": team_id})):
        policy = {"action": "manage", "resource": resource, "attributes": attributes, "role_id": added[CAPTAIN]}
        await _add(connection, role_policies, at, **policy)
    for role_id in added.values():
        await give_role(connection, captain, role_id, at)


async def _add_role(connection: AsyncConnection, team_id: str, role: str, name: str | None, at: datetime) -> str:
    description = f"{_DESCRIPTIONS[role]} '{name}'"
    return await _add(connection, roles, at, name=role_in_team(team_id, role), description=description)


async def _add(connection: AsyncConnection, table: Table, at: datetime, **values: Any) -> str:
    row_id = str(uuid.uuid4())
    await connection.execute(insert(table).values(id=row_id, created_at=at, updated_at=at, **values))
    return row_id


async def lock_role_of_members(connection: AsyncConnection, team_id: str) -> str | None:
    """Returns its id. Others who add or remove members, or delete the team, wait until the transaction ends."""
    by_name = select(roles.c.id).where(roles.c.name == role_in_team(team_id, MEMBER))
    role_id: str | None = await connection.scalar(by_name.with_for_update(key_share=True))
    return role_id


async def remove_roles(connection: AsyncConnection, team_id: str) -> None:
    """Removes both roles; the schema cascades to policies and holders."""
    names = [role_in_team(team_id, role) for role in (CAPTAIN, MEMBER)]
    await connection.execute(delete(roles).where(roles.c.name.in_(names)))


async def take_role(connection: AsyncConnection, subject_id: str, role_id: str | None) -> None:
    """Does nothing if the subject does not have the role."""
    held = subject_roles.c.subject_id == subject_id, subject_roles.c.role_id == role_id
    await connection.execute(delete(subject_roles).where(*held))


async def subject_of(connection: AsyncConnection, user_id: str) -> str | None:
    """The id of the user's subject."""
    of_user = subjects.c.internal_identifier == user_id
    subject_id: str | None = await connection.scalar(select(subjects.c.id).where(of_user))
    return subject_id


async def role_in(connection: AsyncConnection, team_id: str, user_id: str) -> str | None:
    """None: the user is not in the team."""
    both = team_members.c.team_id == team_id, team_members.c.user_id == user_id
    role: str | None = await connection.scalar(select(team_members.c.role).where(*both))
    return role


async def add_member(connection: AsyncConnection, team_id: str, user_id: str, role: str, at: datetime) -> bool:
    """False: the user has been added meanwhile."""
    row = {"id": str(uuid.uuid4()), "team_id": team_id, "user_id": user_id, "role": role}
    return await inserted(connection, team_members, row, at, unless="team_id user_id")


async def remove_member(connection: AsyncConnection, team_id: str, user_id: str) -> bool:
    """False: the user is not a member, or is the captain."""
    its = team_members.c.team_id == team_id, team_members.c.user_id == user_id, team_members.c.role == MEMBER
    return (await connection.execute(delete(team_members).where(*its))).rowcount > 0


async def addressees(connection: AsyncConnection, *who: ColumnElement[bool]) -> Sequence[Addressee]:
    """The first address, verified or not, of each user that has one."""
    statement = (
        select(users.c.id, users.c.username, user_emails.c.email, user_settings.c.language)
        .join(user_emails, user_emails.c.user_id == users.c.id)
        .outerjoin(user_settings, user_settings.c.user_id == users.c.id)
        .where(*who)
        .order_by(user_emails.c.created_at)
    )
    first: dict[str, Addressee] = {}
    for row in await connection.execute(statement):
        first.setdefault(row.id, Addressee(username=row.username, address=row.email, language=row.language))
    return list(first.values())
