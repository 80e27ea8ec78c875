"""Fills an empty database: roles with their policies, and a few users."""

import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.auth.access import SELF
from examples.monolith.auth.passwords import hashed
from examples.monolith.storage import documents
from examples.monolith.storage.database import Database
from examples.monolith.storage.documents import ObjectIds
from examples.monolith.storage.rows import insert_row
from examples.monolith.storage.tables import RESOURCES, auth_role_policies, auth_roles, items
from examples.monolith.users.accounts import ADMIN_ROLE, GUEST_ROLE, USER_ROLE, NewUser, add_role, add_user, subject_of

ROLES = {
    GUEST_ROLE: ("guest", "An seeded_user whose e-mail is not verified"),
    USER_ROLE: ("user", "An seeded_user with a verified e-mail"),
    ADMIN_ROLE: ("admin", "May everything"),
}
OWN_USER = {"id": SELF}
OWN = {"user_id": SELF}

Policy = tuple[str, str, dict[str, str] | None]
POLICIES: dict[str, list[Policy]] = {
    GUEST_ROLE: [("read", "user", OWN_USER), ("read", "user_email", OWN), ("read", "user_settings", OWN)],
    USER_ROLE: [
        ("manage", "user", OWN_USER),
        ("manage", "user_email", OWN),
        ("manage", "user_settings", OWN),
        ("read", "user", None),
        ("read", "module", None),
        ("read", "content", None),
        ("read", "team", None),
        ("create", "team", None),
        ("create", "submission", None),
        ("delete", "team_member", OWN),
    ],
    ADMIN_ROLE: [("manage", resource, None) for resource in RESOURCES],
}


@dataclass(frozen=True, slots=True)
class SeededUser:
    """A user of the seed with the log-in secret; `more_roles` are added to the first role."""

    user: NewUser
    secret: str
    more_roles: tuple[str, ...] = ()


def _bare(name: str, description: str, points: int, role: str) -> SeededUser:
    token = str(uuid.uuid4()) if role == GUEST_ROLE else None
    user = NewUser(name, f"{name}@example.org", token, description, points, role, identity=name)
    return SeededUser(user, secret=name)


def _demo(name: str, points: int) -> SeededUser:
    user = NewUser(name, f"{name}@example.org", points=points)
    return SeededUser(user, secret=f"{name}-secret", more_roles=(USER_ROLE,))


BARE = (
    _bare("guest", "A lambda user with email not verified", 0, GUEST_ROLE),
    _bare("admin", "A special user with all permissions", 200, ADMIN_ROLE),
    _bare("user", "A lambda user with email verified", 150, USER_ROLE),
)
DEMO = (*BARE, _demo("alice", 500), _demo("bob", 120), _demo("carol", 0))
DEMO_ITEMS: tuple[dict[str, Any], ...] = (
    {"id": "11111111-1111-4111-8111-111111111111", "cost": 10, "type": "hint", "data": {"text": "Read stdin first"}},
    {
        "id": "22222222-2222-4222-8222-222222222222",
        "cost": 25,
        "type": "hint",
        "data": {"text": "Sort before you search"},
    },
    {"id": "33333333-3333-4333-8333-333333333333", "cost": 0, "type": "hint", "data": {"text": ""}},
    {"id": "44444444-4444-4444-8444-444444444444", "cost": 1000, "type": "hint", "data": {"text": "The whole answer"}},
    {"id": "55555555-5555-4555-8555-555555555555", "cost": 40, "type": "validator", "data": {"text": "An empty line"}},
)
SEEDS: dict[str, tuple[tuple[SeededUser, ...], tuple[dict[str, Any], ...]]] = {
    "bare": (BARE, ()),
    "demo": (DEMO, DEMO_ITEMS),
}


async def fill_empty(database: Database, object_ids: ObjectIds, name: str, password_rounds: int) -> None:
    """Creates tables and writes the named seed, unless the database has roles already."""
    await database.create_tables()
    async with database.read() as connection:
        if await connection.scalar(select(auth_roles.c.id).limit(1)):
            return
    seeded, wares = SEEDS[name]
    secrets = [await hashed(seeded_user.secret, password_rounds) for seeded_user in seeded]
    async with database.write() as connection:
        await _add_roles(connection)
        for seeded_user, secret in zip(seeded, secrets, strict=True):
            await _add_account(connection, seeded_user, secret)
        for ware in wares:
            await documents.add(connection, items, object_ids.next(), ware)


async def _add_roles(connection: AsyncConnection) -> None:
    for role_id, (name, description) in ROLES.items():
        await insert_row(connection, auth_roles, id=role_id, name=name, description=description)
        for action, resource, attributes in POLICIES[role_id]:
            await insert_row(
                connection,
                auth_role_policies,
                action=action,
                resource=resource,
                attributes=attributes,
                role_id=role_id,
            )


async def _add_account(connection: AsyncConnection, seeded_user: SeededUser, secret: str) -> None:
    user_id = await add_user(connection, seeded_user.user, secret)
    for role in seeded_user.more_roles:
        await add_role(connection, await subject_of(connection, user_id), role)
