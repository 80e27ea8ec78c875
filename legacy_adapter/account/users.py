"""Account's ports for users and settings on the monolith's tables."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, delete, func, select

from chassis.database.database import Database
from extracted.account.domain import Changes, ListPage, PageQuery
from extracted.account.users.domain import RankedUser, User, UserSettings
from legacy_adapter import pages
from legacy_adapter.rows import changed, now, refusing
from legacy_adapter.tables import team_members, teams, user_settings, users


class LegacyUsers:
    """Implements the port UserStore."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._clock = clock

    async def find(self, user_id: str) -> RankedUser | None:
        """Reads user and rank with one statement, so both are of one moment."""
        ahead = users.alias("ahead")
        rank = select(1 + func.count()).select_from(ahead).where(ahead.c.points > users.c.points).scalar_subquery()
        statement = select(users, rank.label("rank")).where(users.c.id == user_id)
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).first()
        return None if row is None else RankedUser(_user(row), row.rank)

    async def select(self, query: PageQuery) -> ListPage[User]:
        """Two statements, however long the page is."""
        async with self._database.read() as connection:
            found = pages.rows(connection, users, query.containing, query.descending)
            page = await connection.execute(found.offset(query.offset).limit(query.limit))
            total = await connection.scalar(pages.count(users, query.containing))
        return ListPage([_user(row) for row in page], total or 0)

    async def change(self, user_id: str, changes: Changes) -> User | None:
        """Writes only the named columns, so that what others change meanwhile stays."""
        row = await _changed(self._database, users, users.c.id == user_id, changes, self._clock())
        return None if row is None else _user(row)

    async def delete(self, user_id: str) -> bool:
        """Deletes only the user's row: login, tokens, addresses and settings stay (fault F12); the schema cascades."""
        async with self._database.write() as connection:
            gone = await connection.execute(delete(users).where(users.c.id == user_id))
        return gone.rowcount > 0

    async def teams(self, user_id: str) -> Sequence[str] | None:
        """A user without teams gives one row without a team."""
        joined = users.outerjoin(team_members, team_members.c.user_id == users.c.id)
        joined = joined.outerjoin(teams, teams.c.id == team_members.c.team_id)
        async with self._database.read() as connection:
            order = pages.heap_order(connection, teams)
            statement = select(teams.c.id).select_from(joined).where(users.c.id == user_id).order_by(*order)
            found = (await connection.scalars(statement)).all()
        return [team_id for team_id in found if team_id is not None] if found else None


class LegacyUserSettings:
    """Implements the port UserSettingsStore. A deleted user's settings lose their user and are not found."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._clock = clock

    async def find(self, user_id: str) -> UserSettings | None:
        """By their user."""
        statement = select(user_settings).where(user_settings.c.user_id == user_id)
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).first()
        return None if row is None else _settings(row)

    async def change(self, user_id: str, changes: Changes) -> UserSettings | None:
        """Writes only the named columns."""
        where = user_settings.c.user_id == user_id
        row = await _changed(self._database, user_settings, where, changes, self._clock())
        return None if row is None else _settings(row)


async def _changed(
    database: Database, table: Table, where: ColumnElement[bool], changes: Changes, at: datetime
) -> Row[Any] | None:
    async with refusing(database.write() if changes else database.read()) as connection:
        return await changed(connection, table, where, changes, at)


def _user(row: Row[Any]) -> User:
    return User(row.id, row.username, row.description, row.points)


def _settings(row: Row[Any]) -> UserSettings:
    return UserSettings(row.editing_language, row.language)
