"""Rows of the monolith's tables: read, inserted unless a unique constraint objects, changed where something differs."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from extracted.account.domain import Changes, NameTaken, ValueRefused

_DUPLICATES = frozenset({"23505", "SQLITE_CONSTRAINT_UNIQUE"})
"""The codes of the two databases for a value that another row has."""


def now() -> datetime:
    """The time that a changed row is stamped with."""
    return datetime.now(UTC)


async def found(connection: AsyncConnection, table: Table, where: ColumnElement[bool]) -> Row[Any] | None:
    """The first row that fulfils the condition."""
    row: Row[Any] | None = (await connection.execute(select(table).where(where))).first()
    return row


async def inserted(
    connection: AsyncConnection, table: Table, row: Mapping[str, object], at: datetime, *, unless: str
) -> bool:
    """False: another row has the same values in `unless` (columns, separated by blanks).

    Waits for a transaction that is inserting such a row.
    """
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values({"created_at": at, "updated_at": at, **row})
    unique = [table.c[name] for name in unless.split()]
    return (await connection.execute(statement.on_conflict_do_nothing(index_elements=unique))).rowcount > 0


async def changed(
    connection: AsyncConnection, table: Table, where: ColumnElement[bool], changes: Changes, at: datetime
) -> Row[Any] | None:
    """The row after the change; None: there is none, whatever the changes are. Raises ValueRefused."""
    row = await found(connection, table, where)
    if row is None or not changes:
        return row
    refuse_nul(changes)
    _refuse_too_long(table, changes)
    # others may have written since the row was read above
    return await _written(connection, table, where, changes, at) or await found(connection, table, where)


async def _written(
    connection: AsyncConnection, table: Table, where: ColumnElement[bool], changes: Changes, at: datetime
) -> Row[Any] | None:
    """None: nothing differs, so nothing is written, not even the time of the change; Sequelize does the same."""
    differs = or_(*(table.c[name].is_distinct_from(value) for name, value in changes.items()))
    statement = update(table).where(where, differs).values({**changes, "updated_at": at}).returning(table)
    written: Row[Any] | None = (await connection.execute(statement)).first()
    return written


def refuse_nul(texts: Changes) -> None:
    """Raises ValueRefused; SQLite would take it."""
    if any(text is not None and "\0" in text for text in texts.values()):
        raise ValueRefused("PostgreSQL takes no NUL in text")


def _refuse_too_long(table: Table, changes: Changes) -> None:
    """Raises ValueRefused; SQLite would take it."""
    for name, text in changes.items():
        most = getattr(table.c[name].type, "length", None)
        if text is not None and most is not None and len(text) > most:
            raise ValueRefused(f"the column has {most} characters")


@asynccontextmanager
async def refusing(transaction: AbstractAsyncContextManager[AsyncConnection]) -> AsyncIterator[AsyncConnection]:
    """Translates the transaction's constraint violations. Raises NameTaken, ValueRefused."""
    try:
        async with transaction as connection:
            yield connection
    except IntegrityError as error:
        code = getattr(error.orig, "sqlstate", None) or getattr(error.orig, "sqlite_errorname", None)
        if code in _DUPLICATES:
            raise NameTaken("another row has the name") from error
        raise ValueRefused("the table does not take the value") from error
