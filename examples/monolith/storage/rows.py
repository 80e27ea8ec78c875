"""Rows of the monolith's tables, written and ordered as Sequelize does."""

import uuid
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Table, insert, update
from sqlalchemy.ext.asyncio import AsyncConnection


async def insert_row(connection: AsyncConnection, table: Table, **values: Any) -> str:
    """Adds a row with a fresh UUID (unless `id` is given) and both timestamps; returns its id."""
    now = datetime.now(UTC)
    row = {"id": str(uuid.uuid4()), "created_at": now, "updated_at": now} | values
    await connection.execute(insert(table).values(row))
    return str(row["id"])


async def change_row(connection: AsyncConnection, table: Table, row: Row[Any], **changes: Any) -> None:
    """Writes only the values that differ, and nothing when none does, as Sequelize's update."""
    differing = {name: value for name, value in changes.items() if row._mapping[name] != value}
    if differing:
        stamped = differing | {"updated_at": datetime.now(UTC)}
        await connection.execute(update(table).where(table.c.id == row.id).values(stamped))


def heap_order(connection: AsyncConnection, table: Table) -> tuple[ColumnElement[Any], ...]:
    """The order when none is requested: PostgreSQL's own; on SQLite rows as written, changed ones last."""
    return (table.c.updated_at, table.c.created_at) if connection.dialect.name == "sqlite" else ()
