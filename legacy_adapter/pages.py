"""A page of one of the monolith's tables, as Sequelize selects it."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, select
from sqlalchemy.ext.asyncio import AsyncConnection


def rows(
    connection: AsyncConnection, table: Table, containing: Mapping[str, str], descending: Mapping[str, bool]
) -> Select[Any]:
    """The rows in that order, then in the store's own; the caller adds offset and limit."""
    order = [table.c[name].desc() if down else table.c[name].asc() for name, down in descending.items()]
    return select(table).where(*_conditions(table, containing)).order_by(*order, *heap_order(connection, table))


def count(table: Table, containing: Mapping[str, str]) -> Select[Any]:
    """How many rows there are on all pages."""
    return select(func.count()).select_from(table).where(*_conditions(table, containing))


def heap_order(connection: AsyncConnection, table: Table) -> tuple[ColumnElement[Any], ...]:
    """PostgreSQL's order without ORDER BY: a changed row moves to the end. SQLite is told to do the same."""
    return (table.c.updated_at, table.c.created_at) if connection.dialect.name == "sqlite" else ()


def in_condition(text: str) -> str:
    """Writes a NUL as Sequelize does in a condition: as two characters. A value with a NUL would fail."""
    return text.replace("\0", "\\0")


def _conditions(table: Table, containing: Mapping[str, str]) -> list[ColumnElement[bool]]:
    """ILIKE with the client's text unchanged, so its wildcards work."""
    return [table.c[name].ilike(f"%{in_condition(text)}%", escape="\\") for name, text in containing.items()]
