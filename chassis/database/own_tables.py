"""A service's own tables next to the monolith's: in a schema on PostgreSQL, with a prefix on SQLite."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Index, MetaData, Table, TypeDecorator
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import SchemaItem


class Instant(TypeDecorator[datetime]):
    """A time in UTC, with its zone in Python, to a microsecond. On SQLite a text of fixed length, so that it sorts."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


class OwnTables:
    """One per process. `service`: the service's name in lower-case letters, unique among services."""

    def __init__(self, service: str, is_sqlite: bool) -> None:
        self.service = service
        self.is_sqlite = is_sqlite
        self.schema = None if is_sqlite else service
        self.metadata = MetaData(schema=self.schema)

    def name(self, name: str) -> str:
        """The name of a table, index or constraint in the database (within the schema)."""
        return f"{self.service}_{name}" if self.is_sqlite else name

    def table(self, name: str, *items: SchemaItem, **options: Any) -> Table:
        """Defines a table of the service, by its plain name."""
        return Table(self.name(name), self.metadata, *items, **options)

    def index(self, name: str, *columns: Any, where: Any = None, unique: bool = False) -> Index:
        """`where`: a partial index. Index names are unique across tables, so include the table's name."""
        return Index(self.name(name), *columns, unique=unique, postgresql_where=where, sqlite_where=where)

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """An INSERT that supports ON CONFLICT."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)
