"""Roles of the monolith's subjects. The ids of the two common roles are those of the monolith's seed."""

import uuid
from datetime import datetime
from typing import Final

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from legacy_adapter.rows import inserted
from legacy_adapter.tables import roles, subject_roles, subjects

GUEST_ROLE: Final = "db78e634-1034-4bee-9e70-a1d56de1738d"
USER_ROLE: Final = "cdccf05d-a8b9-4455-a373-595eae252adf"


_OF_USER: Final = (
    select(roles.c.name)
    .join(subject_roles, subject_roles.c.role_id == roles.c.id)
    .join(subjects, subjects.c.id == subject_roles.c.subject_id)
    .where(subjects.c.internal_identifier == bindparam("user", type_=subjects.c.internal_identifier.type))
    .order_by(roles.c.name)
)


class LegacyRoles:
    """Implements the port RoleStore. A deleted user keeps its roles (fault F12)."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def of_user(self, user_id: str) -> tuple[str, ...]:
        """One statement."""
        async with self._database.look() as connection:
            return tuple(await connection.scalars(_OF_USER, {"user": user_id}))


async def give_role(connection: AsyncConnection, subject_id: str, role_id: str, at: datetime) -> None:
    """Does nothing if the subject has the role already."""
    row = {"id": str(uuid.uuid4()), "subject_id": subject_id, "role_id": role_id}
    await inserted(connection, subject_roles, row, at, unless="subject_id role_id")
