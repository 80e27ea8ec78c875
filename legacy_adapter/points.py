"""Account's port for points on the monolith's table: a balance changes by one conditional statement, never by value.

All take the caller's connection and are part of its transaction.
"""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from legacy_adapter.account import now
from legacy_adapter.tables import users

_MOST = 2**31 - 1
"""An `integer` of PostgreSQL."""


class LegacyPoints:
    """Implements the port Points."""

    def __init__(self, clock: Callable[[], datetime] = now) -> None:
        self._clock = clock

    async def points(self, connection: AsyncConnection, user_id: str) -> int | None:
        """None: there is no such user."""
        balance: int | None = await connection.scalar(select(users.c.points).where(users.c.id == user_id))
        return balance

    async def debit(self, connection: AsyncConnection, user_id: str, points: int) -> int | None:
        """The balance afterwards; None: too few points, or no such user: nothing was changed."""
        if points > _MOST:
            return None
        return await self._changed(connection, -points, users.c.id == user_id, users.c.points >= points)

    async def credit(self, connection: AsyncConnection, user_id: str, points: int) -> int | None:
        """The balance afterwards; None: there is no such user."""
        return await self._changed(connection, points, users.c.id == user_id)

    async def _changed(self, connection: AsyncConnection, by: int, *where: ColumnElement[bool]) -> int | None:
        values = {"points": users.c.points + by, "updated_at": self._clock()}
        balance: int | None = await connection.scalar(
            update(users).where(*where).values(values).returning(users.c.points)
        )
        return balance
