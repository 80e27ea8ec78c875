"""A statement that is put together once, and runs on a connection of the engine or of PostgreSQL's driver alike."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import BindParameter, ClauseElement, Insert, Table, bindparam, insert
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own


class Direct(Protocol):
    """A connection of the driver's (chassis/database/driver.py)."""

    async def fetch(self, query: str, *args: object) -> Sequence[Any]:
        """Rows, with columns as attributes."""
        ...


Connection = AsyncConnection | Direct


class Compiled:
    """A statement as the driver takes it: its text, with $1, $2, …."""

    def __init__(self, statement: ClauseElement, columns: Sequence[str] = ()) -> None:
        compiled: Any = statement.compile(dialect=_DIALECT, column_keys=columns or None)
        self.text = str(compiled)
        self._names: Sequence[str] = compiled.positiontup or ()
        self._fixed = {name: bound.value for name, bound in compiled.binds.items() if not bound.required}

    def arguments(self, values: Mapping[str, object]) -> list[object]:
        """In the order of the text."""
        return [values[name] if name in values else self._fixed[name] for name in self._names]


def parameters(table: Table, columns: Sequence[str], prefix: str) -> list[BindParameter[object]]:
    """One a column, named as it is after the prefix: for a statement that writes into several tables."""
    return [bindparam(prefix + name, type_=table.c[name].type) for name in columns]


def prefixed(rows: Mapping[str, Mapping[str, object]]) -> dict[str, object]:
    """Prefix → row, as the values of such parameters."""
    return {prefix + name: value for prefix, row in rows.items() for name, value in row.items()}


class Prepared:
    """`columns`: those that values are given for, where the statement itself does not say (an INSERT's, an UPDATE's).

    Values go to the driver as they are: texts, numbers, times with a zone, lists of them, None. A type that needs the
    engine's help does not fit.
    """

    def __init__(self, statement: Any, *columns: str) -> None:
        self.statement: Any = statement
        self._columns = columns
        self._compiled: Compiled | None = None

    async def on(self, connection: Connection, values: Mapping[str, object]) -> Sequence[Any]:
        """The rows that it returns."""
        if isinstance(connection, AsyncConnection):
            result = await connection.execute(self.statement, values)
            return result.all() if result.returns_rows else ()
        if self._compiled is None:
            self._compiled = Compiled(self.statement, self._columns)
        return await connection.fetch(self._compiled.text, *self._compiled.arguments(values))


class Inserts:
    """A row into each of several tables, in this order; by the driver as one statement."""

    def __init__(self, *tables: tuple[Table, Sequence[str]]) -> None:
        self._tables = tables
        each = [_insert(table, columns, f"{number}_") for number, (table, columns) in enumerate(tables)]
        first = [one.cte(f"insert_{number}") for number, one in enumerate(each[:-1])]
        self._all = Prepared(each[-1].add_cte(*first) if first else each[-1])
        self._single = [Prepared(insert(table), *columns) for table, columns in tables]

    async def on(self, connection: Connection, *rows: Mapping[str, object]) -> None:
        """A row a table."""
        if isinstance(connection, AsyncConnection):
            for prepared, row in zip(self._single, rows, strict=True):
                await prepared.on(connection, row)
        else:
            await self._all.on(connection, prefixed({f"{number}_": row for number, row in enumerate(rows)}))


def _insert(table: Table, columns: Sequence[str], prefix: str) -> Insert:
    """Its parameters are named as the columns, after the prefix."""
    return insert(table).values(dict(zip(columns, parameters(table, columns, prefix), strict=True)))
