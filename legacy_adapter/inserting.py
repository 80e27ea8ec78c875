"""New rows in the monolith's tables, where a unique constraint decides whether they may be."""

from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection


async def inserted(
    connection: AsyncConnection, table: Table, row: Mapping[str, object], at: datetime, *, unless: str
) -> bool:
    """False: another row has the same in `unless` (columns, by blanks); who is writing such a one is waited for."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    statement = insert(table).values({"created_at": at, "updated_at": at, **row})
    unique = [table.c[name] for name in unless.split()]
    found = await connection.execute(statement.on_conflict_do_nothing(index_elements=unique))
    return found.rowcount > 0
