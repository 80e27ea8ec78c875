"""Who has moved to the identity server."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Column, Table, Text, bindparam, select

from chassis.database.database import Database
from chassis.database.own_tables import Instant, OwnTables
from chassis.database.prepared import PreparedStatement


def define(own: OwnTables) -> Table:
    """Defines the table; call it once per metadata."""
    return own.table(
        "moved_users",
        Column("user_id", Text, primary_key=True),
        Column("moved_at", Instant, nullable=False),
    )


class SqlMovedUsers:
    """Implements the port MovedUsers."""

    def __init__(self, database: Database, own: OwnTables, table: Table, clock: Callable[[], datetime]) -> None:
        self._database, self._clock = database, clock
        self._one = PreparedStatement(select(table.c.moved_at).where(table.c.user_id == bindparam("user")))
        self._insert = own.insert(table).on_conflict_do_nothing()

    async def has(self, user_id: str) -> bool:
        """One look by the primary key."""
        return bool(await self._database.execute(self._one, {"user": user_id}, writes=False))

    async def add(self, user_id: str) -> None:
        """Keeps the time of the first move."""
        async with self._database.write() as connection:
            await connection.execute(self._insert, {"user_id": user_id, "moved_at": self._clock()})
