"""Account's port for points on the monolith's table. One conditional statement changes a balance, without a read first.

All methods run in the transaction of the caller's connection.
"""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Update, bindparam, select, update

from chassis.database.prepared import AnyConnection, PreparedStatement
from legacy_adapter.rows import now
from legacy_adapter.tables import users

_MOST = 2**31 - 1
"""The largest `integer` of PostgreSQL."""


def _change(*where: ColumnElement[bool]) -> Update:
    by = bindparam("by", type_=users.c.points.type)
    values = {"points": users.c.points + by, "updated_at": bindparam("at", type_=users.c.updated_at.type)}
    return update(users).where(*where).values(values).returning(users.c.points)


_OF_USER: Final[Any] = users.c.id == bindparam("user", type_=users.c.id.type)
_POINTS: Final = PreparedStatement(select(users.c.points).where(_OF_USER))
_CREDIT: Final = PreparedStatement(_change(_OF_USER))
_ENOUGH: Final = users.c.points >= -bindparam("by", type_=users.c.points.type)
_DEBIT: Final = PreparedStatement(_change(_OF_USER, _ENOUGH))


class LegacyPoints:
    """Implements the port Points."""

    def __init__(self, clock: Callable[[], datetime] = now) -> None:
        self._clock = clock

    async def points(self, connection: AnyConnection, user_id: str) -> int | None:
        """None: there is no such user."""
        found = await _POINTS.on(connection, {"user": user_id})
        return found[0].points if found else None

    async def debit(self, connection: AnyConnection, user_id: str, points: int) -> int | None:
        """The balance afterwards; None: too few points, or no such user; nothing was changed."""
        return None if points > _MOST else await self._changed(connection, _DEBIT, user_id, -points)

    async def credit(self, connection: AnyConnection, user_id: str, points: int) -> int | None:
        """The balance afterwards; None: there is no such user."""
        return await self._changed(connection, _CREDIT, user_id, points)

    async def _changed(self, connection: AnyConnection, change: PreparedStatement, user_id: str, by: int) -> int | None:
        found = await change.on(connection, {"user": user_id, "by": by, "at": self._clock()})
        return found[0].points if found else None
