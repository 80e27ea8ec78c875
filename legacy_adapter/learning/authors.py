"""The users who wrote modules."""

from collections.abc import Collection, Mapping
from typing import Final

from sqlalchemy import bindparam, select

from chassis.database.database import Database
from chassis.uuid_text import canonical_uuid
from extracted.learning.modules.domain import Author
from legacy_adapter.tables import users

_OF_IDS: Final = select(users.c.id, users.c.username, users.c.description, users.c.points).where(
    users.c.id.in_(bindparam("ids", expanding=True))
)


async def authors(database: Database, user_ids: Collection[object]) -> Mapping[str, Author]:
    """Those that exist, by id; one statement. Ids that are no UUIDs name nobody."""
    ids = {user_id for user_id in user_ids if isinstance(user_id, str) and canonical_uuid(user_id) == user_id}
    if not ids:
        return {}
    async with database.look() as connection:
        rows = await connection.execute(_OF_IDS, {"ids": sorted(ids)})
        return {row.id: Author(row.id, row.username, row.description, row.points) for row in rows}
