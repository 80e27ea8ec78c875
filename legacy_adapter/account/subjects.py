"""Account's port for the users of sessions on the monolith's tables."""

from typing import Final

from sqlalchemy import bindparam, exists, select

from chassis.database.database import Database
from chassis.database.prepared import PreparedStatement
from extracted.account.sessions.domain import Subject
from legacy_adapter.tables import roles, subject_roles, subjects, users

_OF_USER: Final = PreparedStatement(
    select(
        subjects.c.id,
        roles.c.name.label("role"),
        exists().where(users.c.id == subjects.c.internal_identifier).label("is_user"),
    )
    .outerjoin(subject_roles, subject_roles.c.subject_id == subjects.c.id)
    .outerjoin(roles, roles.c.id == subject_roles.c.role_id)
    .where(subjects.c.internal_identifier == bindparam("given", type_=subjects.c.internal_identifier.type))
)


class LegacySubjects:
    """Implements the port SubjectStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, user_id: str) -> Subject | None:
        """One statement: a row for each role."""
        rows = await self._database.execute(_OF_USER, {"given": user_id}, writes=False)
        if not rows:
            return None
        names = sorted(row.role for row in rows if row.role is not None)
        return Subject(user_id, str(rows[0].id), tuple(names), is_deleted=not rows[0].is_user)
