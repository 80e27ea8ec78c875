"""Account's port for points on the monolith's table. One conditional statement changes a balance, without a read first.

All methods run in the transaction of the caller's connection.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

from sqlalchemy import ColumnElement, FromClause, Update, bindparam, select, update

from chassis.database.prepared import AnyConnection, PreparedRows, PreparedStatement
from legacy_adapter.rows import now
from legacy_adapter.tables import users

_MOST = 2**31 - 1
"""The largest `integer` of PostgreSQL."""


_ID, _BALANCE, _AT = users.c.id, users.c.points, users.c.updated_at
_POINTS: Final = PreparedStatement(select(_BALANCE).where(bindparam("user", type_=_ID.type) == _ID))
_CHANGES: Final = {"user": _ID.type, "by": _BALANCE.type, "at": _AT.type}


def _change(given: FromClause, *where: ColumnElement[bool]) -> Update:
    values = {"points": _BALANCE + given.c.by, "updated_at": given.c.at}
    return update(users).where(given.c.user == _ID, *where).values(values).returning(_ID, _BALANCE)


_CREDIT: Final = PreparedRows(_CHANGES, _change)
_DEBIT: Final = PreparedRows(_CHANGES, lambda given: _change(given, _BALANCE + given.c.by >= 0))


class LegacyPoints:
    """Implements the port Points."""

    def __init__(self, clock: Callable[[], datetime] = now) -> None:
        self._clock = clock

    async def points(self, connection: AnyConnection, user_id: str) -> int | None:
        """None: there is no such user."""
        found = await _POINTS.on(connection, {"user": user_id})
        return found[0].points if found else None

    async def debit(self, connection: AnyConnection, points: Mapping[str, int]) -> Mapping[str, int]:
        """`points`: by user id. The balances afterwards, without users who have too few or are gone.

        Locks the users in the order of `points`.
        """
        return await self._changed(connection, _DEBIT, {user: -by for user, by in points.items() if by <= _MOST})

    async def credit(self, connection: AnyConnection, user_id: str, points: int) -> int | None:
        """The balance afterwards; None: there is no such user."""
        return (await self._changed(connection, _CREDIT, {user_id: points})).get(user_id)

    async def _changed(
        self, connection: AnyConnection, change: PreparedRows, points: Mapping[str, int]
    ) -> Mapping[str, int]:
        now = self._clock()
        found = await change.on(connection, [{"user": user, "by": by, "at": now} for user, by in points.items()])
        return {row.id: row.points for row in found}
