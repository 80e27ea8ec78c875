"""Account's port for logins on the monolith's tables."""

from typing import Final

from sqlalchemy import bindparam, select

from chassis.database.database import Database
from chassis.database.prepared import PreparedStatement
from extracted.account.sign_in.domain import Login
from legacy_adapter.tables import credentials, subjects

_OF_IDENTITY: Final = PreparedStatement(
    select(subjects.c.internal_identifier, subjects.c.id, credentials.c.secret)
    .join(subjects, subjects.c.id == credentials.c.subject_id)
    .where(credentials.c.identity == bindparam("given", type_=credentials.c.identity.type))
)


class LegacyLogins:
    """Implements the port LoginStore."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, identity: str) -> Login | None:
        """Also of a deleted user (fault F12). A NUL becomes two characters, as Sequelize writes it in a condition."""
        found = await self._database.execute(_OF_IDENTITY, {"given": identity.replace("\0", "\\0")}, writes=False)
        return Login(found[0].internal_identifier, found[0].id, found[0].secret) if found else None
