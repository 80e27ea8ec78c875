"""A page of one of the monolith's tables, as Sequelize asks PostgreSQL for it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection


def rows(
    connection: AsyncConnection, table: Table, containing: Mapping[str, str], descending: Mapping[str, bool]
) -> Select[Any]:
    """In that order, then in the store's own; the page is cut by the caller."""
    order = [table.c[name].desc() if down else table.c[name].asc() for name, down in descending.items()]
    return select(table).where(*_conditions(table, containing)).order_by(*order, *heap_order(connection, table))


def count(table: Table, containing: Mapping[str, str]) -> Select[Any]:
    """How many rows there are on all pages."""
    return select(func.count()).select_from(table).where(*_conditions(table, containing))


def heap_order(connection: AsyncConnection, table: Table) -> tuple[ColumnElement[Any], ...]:
    """PostgreSQL's own where none is asked for, which cannot be named; SQLite is told to behave likewise.

    There a changed row moves to the end.
    """
    return (table.c.updated_at, table.c.created_at) if connection.dialect.name == "sqlite" else ()


def in_condition(text: str) -> str:
    """As Sequelize writes a NUL there: two characters, where a value with one fails."""
    return text.replace("\0", "\\0")


def _conditions(table: Table, containing: Mapping[str, str]) -> list[ColumnElement[bool]]:
    """ILIKE with the client's text as it is: its wildcards work."""
    return [table.c[name].ilike(f"%{in_condition(text)}%", escape="\\") for name, text in containing.items()]
