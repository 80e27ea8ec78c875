"""Account's ports for users and settings on the monolith's tables: one conditional statement for each change."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, delete, func, or_, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from extracted.account.domain import (
    MOST_LANGUAGE_CHARACTERS,
    Changes,
    NameTaken,
    Ranked,
    Refused,
    Selected,
    Selection,
    Settings,
    User,
)
from legacy_adapter import sql_page
from legacy_adapter.tables import team_members, teams, user_settings, users

_DUPLICATES = frozenset({"23505", "SQLITE_CONSTRAINT_UNIQUE"})
"""What the two databases call a value that another row has."""


def now() -> datetime:
    """The time that a changed row is stamped with."""
    return datetime.now(UTC)


class LegacyUsers:
    """Implements the port Users."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._clock = clock

    async def find(self, user_id: str) -> Ranked | None:
        """User and rank by one statement, so of one moment."""
        ahead = users.alias("ahead")
        rank = select(1 + func.count()).select_from(ahead).where(ahead.c.points > users.c.points).scalar_subquery()
        statement = select(users, rank.label("rank")).where(users.c.id == user_id)
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).first()
        return None if row is None else Ranked(_user(row), row.rank)

    async def select(self, selection: Selection) -> Selected[User]:
        """By two statements, however many there are."""
        async with self._database.read() as connection:
            found = sql_page.rows(connection, users, selection.containing, selection.descending)
            page = await connection.execute(found.offset(selection.offset).limit(selection.limit))
            total = await connection.scalar(sql_page.count(users, selection.containing))
        return Selected([_user(row) for row in page], total or 0)

    async def change(self, user_id: str, changes: Changes) -> User | None:
        """Only the named columns are written, so what others change meanwhile stays."""
        row = await _changed(self._database, users, users.c.id == user_id, changes, self._clock())
        return None if row is None else _user(row)

    async def delete(self, user_id: str) -> bool:
        """The row alone: login, tokens, e-mails and settings stay (fault F12); the schema cascades to the rest."""
        async with self._database.write() as connection:
            gone = await connection.execute(delete(users).where(users.c.id == user_id))
        return gone.rowcount > 0

    async def teams(self, user_id: str) -> Sequence[str] | None:
        """A user without teams is one row without a team."""
        joined = users.outerjoin(team_members, team_members.c.user_id == users.c.id)
        joined = joined.outerjoin(teams, teams.c.id == team_members.c.team_id)
        async with self._database.read() as connection:
            order = sql_page.heap_order(connection, teams)
            statement = select(teams.c.id).select_from(joined).where(users.c.id == user_id).order_by(*order)
            found = (await connection.scalars(statement)).all()
        return [team_id for team_id in found if team_id is not None] if found else None


class LegacySettings:
    """Implements the port UserSettings. A deleted user's row has lost its user: it is never found again."""

    def __init__(self, database: Database, clock: Callable[[], datetime] = now) -> None:
        self._database = database
        self._clock = clock

    async def find(self, user_id: str) -> Settings | None:
        """By the user they belong to."""
        statement = select(user_settings).where(user_settings.c.user_id == user_id)
        async with self._database.read() as connection:
            row = (await connection.execute(statement)).first()
        return None if row is None else _settings(row)

    async def change(self, user_id: str, changes: Changes) -> Settings | None:
        """Only the named columns are written."""
        where = user_settings.c.user_id == user_id
        row = await _changed(self._database, user_settings, where, changes, self._clock())
        return None if row is None else _settings(row)


def refuse_nul(texts: Changes) -> None:
    """Raises Refused; SQLite would take it."""
    if any(text is not None and "\0" in text for text in texts.values()):
        raise Refused("PostgreSQL takes no NUL in text")


def _refuse_too_long(changes: Changes) -> None:
    """Raises Refused; SQLite would take it."""
    if len(changes.get("editing_language") or "") > MOST_LANGUAGE_CHARACTERS:
        raise Refused(f"the column has {MOST_LANGUAGE_CHARACTERS} characters")


async def _changed(
    database: Database, table: Table, where: ColumnElement[bool], changes: Changes, at: datetime
) -> Row[Any] | None:
    async with refusing(database.write() if changes else database.read()) as connection:
        return await changed(connection, table, where, changes, at)


@asynccontextmanager
async def refusing(transaction: AbstractAsyncContextManager[AsyncConnection]) -> AsyncIterator[AsyncConnection]:
    """The transaction, with what its tables do not take told apart. Raises NameTaken, Refused."""
    try:
        async with transaction as connection:
            yield connection
    except IntegrityError as error:
        if _is_duplicate(error):
            raise NameTaken("another row has the name") from error
        raise Refused("the table does not take the value") from error


async def changed(
    connection: AsyncConnection, table: Table, where: ColumnElement[bool], changes: Changes, at: datetime
) -> Row[Any] | None:
    """The row afterwards; None where there is none, whatever the changes are. Raises Refused."""
    row = await _found(connection, table, where)
    if row is None or not changes:
        return row
    refuse_nul(changes)
    _refuse_too_long(changes)
    # what was read above may be old by now where others write meanwhile
    return await _written(connection, table, where, changes, at) or await _found(connection, table, where)


async def _found(connection: AsyncConnection, table: Table, where: ColumnElement[bool]) -> Row[Any] | None:
    found: Row[Any] | None = (await connection.execute(select(table).where(where))).first()
    return found


async def _written(
    connection: AsyncConnection, table: Table, where: ColumnElement[bool], changes: Changes, at: datetime
) -> Row[Any] | None:
    """None where nothing differed: then, as in Sequelize, nothing is written, the time of change neither."""
    differs = or_(*(table.c[name].is_distinct_from(value) for name, value in changes.items()))
    statement = update(table).where(where, differs).values({**changes, "updated_at": at}).returning(table)
    written: Row[Any] | None = (await connection.execute(statement)).first()
    return written


def _is_duplicate(error: IntegrityError) -> bool:
    code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
    return code in _DUPLICATES


def _user(row: Row[Any]) -> User:
    return User(row.id, row.username, row.description, row.points)


def _settings(row: Row[Any]) -> Settings:
    return Settings(row.editing_language, row.language)
