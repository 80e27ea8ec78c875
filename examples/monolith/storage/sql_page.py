"""Queries one page of a table for a list route, as Sequelize does."""

from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Select, Table, func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from examples.monolith.http.errors import InternalFailure
from examples.monolith.http.javascript import text_of
from examples.monolith.http.listing import DESCENDS, Page
from examples.monolith.storage.postgres_values import condition_text
from examples.monolith.storage.rows import heap_order

MAX_OFFSET = 2**63 - 1


def rows_of(connection: AsyncConnection, table: Table, page: Page) -> Select[Any]:
    """The page's rows in order. Raises InternalFailure where PostgreSQL would refuse the statement."""
    order = [_directed(table.c[key], direction) for key, direction in (page.order or {}).items()]
    query = select(table).where(*_filters(table, page)).order_by(*order, *heap_order(connection, table))
    return query.offset(literal(_offset(page), BigInteger)).limit(page.limit)


async def count_of(connection: AsyncConnection, table: Table, page: Page, *more: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(table).where(*_filters(table, page), *more)
    return int(await connection.scalar(query) or 0)


def _filters(table: Table, page: Page) -> list[ColumnElement[bool]]:
    """ILIKE with the client's text unescaped: its wildcards work."""
    patterns = {key: f"%{condition_text(text_of(value))}%" for key, value in (page.filters or {}).items()}
    return [table.c[key].ilike(pattern, escape="\\") for key, pattern in patterns.items()]


def _directed(column: ColumnElement[Any], direction: str | None) -> ColumnElement[Any]:
    """Raises InternalFailure also without a direction (C6)."""
    descending = DESCENDS.get((direction or "").lower())
    if descending is None:
        raise InternalFailure(f"{direction!r} is not a direction")
    return column.desc() if descending else column.asc()


def _offset(page: Page) -> int:
    """Raises InternalFailure beyond a bigint, where PostgreSQL refuses the statement."""
    if page.offset > MAX_OFFSET:
        raise InternalFailure("OFFSET out of range")
    return page.offset
