"""Statements that are built once and run on a connection of SQLAlchemy's engine or of PostgreSQL's driver."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import Insert, Table, bindparam, insert
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own


class DriverConnection(Protocol):
    """A connection of the driver (chassis/database/driver.py)."""

    async def fetch(self, query: str, *args: object) -> Sequence[Any]:
        """Rows with columns as attributes."""
        ...


AnyConnection = AsyncConnection | DriverConnection


class PreparedStatement:
    """`columns`: the columns that values are given for, if the statement itself does not say (INSERT, UPDATE).

    The driver gets values unchanged: texts, numbers, times with a zone, lists of them, None. Types that need the
    engine's help do not work.
    """

    def __init__(self, statement: Any, *columns: str) -> None:
        self.statement: Any = statement
        self._columns = columns
        self._compiled: _CompiledStatement | None = None

    async def on(self, connection: AnyConnection, values: Mapping[str, object]) -> Sequence[Any]:
        """The rows that it returns."""
        if isinstance(connection, AsyncConnection):
            result = await connection.execute(self.statement, values)
            return result.all() if result.returns_rows else ()
        if self._compiled is None:
            self._compiled = _CompiledStatement(self.statement, self._columns)
        return await connection.fetch(self._compiled.text, *self._compiled.arguments(values))


class PreparedInserts:
    """Inserts a row into each of several tables, in this order; the driver does it by one statement."""

    def __init__(self, *tables: tuple[Table, Sequence[str]]) -> None:
        each = [_insert(table, columns, f"{number}_") for number, (table, columns) in enumerate(tables)]
        first = [one.cte(f"insert_{number}") for number, one in enumerate(each[:-1])]
        self._all = PreparedStatement(each[-1].add_cte(*first) if first else each[-1])
        self._single = [PreparedStatement(insert(table), *columns) for table, columns in tables]

    async def on(self, connection: AnyConnection, *rows: Mapping[str, object]) -> None:
        """One row per table."""
        if isinstance(connection, AsyncConnection):
            for statement, row in zip(self._single, rows, strict=True):
                await statement.on(connection, row)
        else:
            values = {f"{number}_{name}": value for number, row in enumerate(rows) for name, value in row.items()}
            await self._all.on(connection, values)


class _CompiledStatement:
    """The text that the driver takes, with $1, $2, …, and the order of its arguments."""

    def __init__(self, statement: Any, columns: Sequence[str]) -> None:
        compiled: Any = statement.compile(dialect=_DIALECT, column_keys=columns or None)
        self.text = str(compiled)
        self._names: Sequence[str] = compiled.positiontup or ()
        self._fixed = {name: bound.value for name, bound in compiled.binds.items() if not bound.required}

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        return [values[name] if name in values else self._fixed[name] for name in self._names]


def _insert(table: Table, columns: Sequence[str], prefix: str) -> Insert:
    """Its parameters are named as the columns, with the prefix."""
    return insert(table).values({name: bindparam(prefix + name, type_=table.c[name].type) for name in columns})
