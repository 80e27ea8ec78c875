"""Statements that are built once and run on a connection of SQLAlchemy's engine or of PostgreSQL's driver."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from sqlalchemy import (
    ARRAY,
    FromClause,
    Insert,
    Select,
    Table,
    TableValuedAlias,
    bindparam,
    column,
    func,
    insert,
    literal_column,
    select,
    true,
)
from sqlalchemy.dialects.postgresql import asyncpg
from sqlalchemy.ext.asyncio import AsyncConnection
from sqlalchemy.types import TypeEngine

_DIALECT = asyncpg.dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy's own
_GIVEN = "given_"
"""The prefix of parameters, which SQLAlchemy confuses with columns of the same name."""


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


class PreparedRows:
    """A statement over rows of values: the driver runs it once over all of them, the engine once for each.

    `build` makes it of the table `given`, which holds the rows. `types`: its columns. A write takes its locks in the
    order of the rows, so callers that sort them do not wait for each other in a circle. `is_lookup`: `build` makes a
    SELECT that finds few rows for each by an index; PostgreSQL then cannot read the whole table instead, which it would
    as long as the table was small when the statement was prepared.
    """

    def __init__(
        self, types: Mapping[str, TypeEngine[Any]], build: Callable[[FromClause], Any], *, is_lookup: bool = False
    ) -> None:
        self._names = tuple(types)
        one = select(*(bindparam(_GIVEN + name, type_=type_).label(name) for name, type_ in types.items()))
        self._one = PreparedStatement(build(one.subquery("given")))
        given = _arrays_of(types, _GIVEN)
        self._all = PreparedStatement(_found_for_each(given, build(given)) if is_lookup else build(given))

    async def on(self, connection: AnyConnection, rows: Sequence[Mapping[str, object]]) -> Sequence[Any]:
        """The rows that it returns, in any order."""
        if not rows:
            return ()
        if isinstance(connection, AsyncConnection):
            each = [{_GIVEN + name: row[name] for name in self._names} for row in rows]
            if not self._one.statement.exported_columns:
                await connection.execute(self._one.statement, each)
                return ()
            return [found for row in each for found in await self._one.on(connection, row)]
        return await self._all.on(connection, _columns(self._names, rows, _GIVEN))


class PreparedInserts:
    """Inserts rows into each of several tables, in this order; the driver does it by one statement."""

    def __init__(self, *tables: tuple[Table, Sequence[str]]) -> None:
        self._tables = tables
        each = [_insert(table, columns, f"{number}_") for number, (table, columns) in enumerate(tables)]
        first = [one.cte(f"insert_{number}") for number, one in enumerate(each[:-1])]
        self._all = PreparedStatement(each[-1].add_cte(*first) if first else each[-1])

    async def on(self, connection: AnyConnection, *rows: Sequence[Mapping[str, object]]) -> None:
        """The rows of each table; there may be none."""
        if isinstance(connection, AsyncConnection):
            for (table, _), of_table in zip(self._tables, rows, strict=True):
                if of_table:
                    await connection.execute(insert(table), [*of_table])
        else:
            values: dict[str, object] = {}
            for number, ((_, columns), of_table) in enumerate(zip(self._tables, rows, strict=True)):
                values |= _columns(columns, of_table, f"{number}_")
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


def _arrays_of(types: Mapping[str, TypeEngine[Any]], prefix: str) -> TableValuedAlias:
    """The rows of several arrays, one for each column; their parameters are named as the columns, with the prefix."""
    arrays = (bindparam(prefix + name, type_=ARRAY(type_)) for name, type_ in types.items())
    columns = (column(name, type_) for name, type_ in types.items())
    return func.unnest(*arrays).table_valued(*columns).render_derived()


def _found_for_each(given: FromClause, found: Select[Any]) -> Select[Any]:
    """Plans `found` for one row of `given`. OFFSET 0 keeps PostgreSQL from merging it with the rest."""
    each = found.offset(literal_column("0")).lateral("found")
    return select(each).select_from(given.join(each, true()))


def _columns(names: Sequence[str], rows: Sequence[Mapping[str, object]], prefix: str) -> dict[str, object]:
    return {prefix + name: [row[name] for row in rows] for name in names}


def _insert(table: Table, names: Sequence[str], prefix: str) -> Insert:
    rows = _arrays_of({name: table.c[name].type for name in names}, prefix)
    return insert(table).from_select([*names], select(rows))
