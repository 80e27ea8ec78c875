"""The rows of an account: user, e-mail, settings, subject, credentials, roles."""

from dataclasses import dataclass

from sqlalchemy import Table, select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.http.errors import conflict, not_found
from examples.monolith.storage.postgres_values import TEXT_WIDTH, postgres_text
from examples.monolith.storage.rows import insert_row
from examples.monolith.storage.tables import (
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
    """A user to add. Without `verification_token` the e-mail is verified. `identity` logs in; None: the e-mail."""

    username: str
    email: str
    verification_token: str | None = None
    description: str | None = None
    points: int = 0
    role: str = GUEST_ROLE
    identity: str | None = None


async def refuse_taken(connection: AsyncConnection, table: Table, **unique: str) -> None:
    """Raises HttpError when a row already has the value."""
    ((name, value),) = unique.items()
    if (await connection.execute(select(table.c.id).where(table.c[name] == value))).first():
        raise conflict()


async def add_user(connection: AsyncConnection, new: NewUser, secret: str) -> str:
    """The user's id. `secret` is the hash. Raises IntegrityError when name, e-mail or identity is taken."""
    user_id = await insert_row(connection, users, username=new.username, description=new.description, points=new.points)
    await add_email(connection, user_id, new.email, new.verification_token)
    await insert_row(
        connection, user_settings, user_id=user_id, preferred_editing_language="javascript", preferred_language="en"
    )
    subject_id = await insert_row(connection, auth_subjects, internal_identifier=user_id, type="user")
    await _add_credentials(connection, subject_id, new.identity or new.email, secret)
    await add_role(connection, subject_id, new.role)
    return user_id


async def add_email(connection: AsyncConnection, user_id: str, email: str, verification_token: str | None) -> str:
    """The e-mail's id; verified without a token. Raises InternalFailure, IntegrityError when it is taken."""
    verified = verification_token is None
    row = {
        "email": postgres_text(email, TEXT_WIDTH),
        "user_id": user_id,
        "verification_token": verification_token,
        "is_verified": verified,
    }
    return await insert_row(connection, user_emails, **row)


async def _add_credentials(connection: AsyncConnection, subject_id: str, identity: str, secret: str) -> None:
    row = {"type": "email_with_password", "identity": identity, "secret": secret, "subject_id": subject_id}
    await insert_row(connection, auth_subject_credentials, **row)


async def subject_of(connection: AsyncConnection, user_id: str | None) -> str:
    """The id of a user's subject. Raises HttpError when there is none."""
    of_user = auth_subjects.c.internal_identifier == user_id
    subject_id = await connection.scalar(select(auth_subjects.c.id).where(of_user))
    if subject_id is None:
        raise not_found()
    return str(subject_id)


async def add_role(connection: AsyncConnection, subject_id: str, role_id: str) -> None:
    """Adds the role unless the subject has it."""
    held = auth_subject_roles.c.subject_id == subject_id, auth_subject_roles.c.role_id == role_id
    if await connection.scalar(select(auth_subject_roles.c.id).where(*held)) is None:
        await insert_row(connection, auth_subject_roles, subject_id=subject_id, role_id=role_id)
