"""A statement that is put together once, and runs on a connection of the engine or of PostgreSQL's driver alike."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import ClauseElement, Insert, Table, bindparam, insert
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection

_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own


class Direct(Protocol):
    """A connection of the driver's (chassis/driver.py)."""

    async def fetch(self, query: str, *args: object) -> Sequence[Any]:
        """Rows, with columns as attributes."""
        ...


Connection = AsyncConnection | Direct


class Prepared:
    """`columns`: those that values are given for, where the statement itself does not say (an INSERT's, an UPDATE's).

    Values go to the driver as they are: texts, numbers, times with a zone, lists of them, None. A type that needs the
    engine's help does not fit.
    """

    def __init__(self, statement: Any, *columns: str) -> None:
        self.statement: Any = statement
        self._columns = columns
        self._text = ""
        self._names: Sequence[str] = ()
        self._fixed: Mapping[str, object] = {}

    async def on(self, connection: Connection, values: Mapping[str, object]) -> Sequence[Any]:
        """The rows that it returns."""
        if isinstance(connection, AsyncConnection):
            result = await connection.execute(self.statement, values)
            return result.all() if result.returns_rows else ()
        if not self._text:
            self._compile(self.statement)
        fixed = self._fixed
        return await connection.fetch(
            self._text, *[values[name] if name in values else fixed[name] for name in self._names]
        )

    def _compile(self, statement: ClauseElement) -> None:
        compiled: Any = statement.compile(dialect=_DIALECT, column_keys=self._columns or None)
        self._names = compiled.positiontup or ()
        self._fixed = {name: bound.value for name, bound in compiled.binds.items() if not bound.required}
        self._text = str(compiled)


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
            values = {f"{number}_{name}": value for number, row in enumerate(rows) for name, value in row.items()}
            await self._all.on(connection, values)


def _insert(table: Table, columns: Sequence[str], prefix: str) -> Insert:
    """Its parameters are named as the columns, after the prefix."""
    return insert(table).values({name: bindparam(prefix + name, type_=table.c[name].type) for name in columns})
