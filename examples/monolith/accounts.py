"""Rows that make up an account: user, e-mail, settings, subject, credentials, roles."""

import uuid
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.database import insert_row
from examples.monolith.tables import (
    auth_subject_credentials,
    auth_subject_roles,
    auth_subjects,
    user_emails,
    user_settings,
    users,
)

GUEST_ROLE = "db78e634-1034-4bee-9e70-a1d56de1738d"
USER_ROLE = "cdccf05d-a8b9-4455-a373-595eae252adf"
ADMIN_ROLE = "28fae61c-8f60-4a29-ba0d-09093ada8898"


@dataclass(frozen=True, slots=True)
class NewUser:
    """Who signs up. `identity` is what logs in; None: the e-mail."""

    username: str
    email: str
    description: str | None = None
    points: int = 0
    verified: bool = False
    role: str = GUEST_ROLE
    identity: str | None = None


async def add_user(connection: AsyncConnection, new: NewUser, secret: str) -> str:
    """The user's id. `secret` is the hash. Raises IntegrityError when name, e-mail or identity is taken."""
    user_id = await insert_row(connection, users, username=new.username, description=new.description, points=new.points)
    await insert_row(
        connection,
        user_emails,
        email=new.email,
        user_id=user_id,
        verification_token=None if new.verified else str(uuid.uuid4()),
        is_verified=new.verified,
    )
    await insert_row(
        connection, user_settings, user_id=user_id, preferred_editing_language="javascript", preferred_language="en"
    )
    await _add_login(connection, user_id, new, secret)
    return user_id


async def _add_login(connection: AsyncConnection, user_id: str, new: NewUser, secret: str) -> None:
    subject_id = await insert_row(connection, auth_subjects, internal_identifier=user_id, type="user")
    await insert_row(
        connection,
        auth_subject_credentials,
        type="email_with_password",
        identity=new.identity or new.email,
        secret=secret,
        subject_id=subject_id,
    )
    await add_role(connection, subject_id, new.role)


async def add_role(connection: AsyncConnection, subject_id: str, role_id: str) -> None:
    """A role that is there already stays as it is."""
    held = auth_subject_roles.c.subject_id == subject_id, auth_subject_roles.c.role_id == role_id
    if await connection.scalar(select(auth_subject_roles.c.id).where(*held)) is None:
        await insert_row(connection, auth_subject_roles, subject_id=subject_id, role_id=role_id)
