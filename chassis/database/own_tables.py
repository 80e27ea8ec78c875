"""Where a service's own tables lie beside the monolith's: a schema of its own on PostgreSQL, a prefix on SQLite."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import DateTime, Index, MetaData, Table, TypeDecorator
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.schema import SchemaItem


class Instant(TypeDecorator[datetime]):
    """A time in UTC, with its zone in Python; to a microsecond. Text of one length on SQLite, so it compares."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and (value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC))


class OwnTables:
    """One per process. `service`: lower-case letters, the service's name; no other service may have it."""

    def __init__(self, service: str, is_sqlite: bool) -> None:
        self.service = service
        self.is_sqlite = is_sqlite
        self.schema = None if is_sqlite else service
        self.metadata = MetaData(schema=self.schema)

    def name(self, name: str) -> str:
        """Of a table, index or constraint, as the database knows it (within the schema)."""
        return f"{self.service}_{name}" if self.is_sqlite else name

    def table(self, name: str, *items: SchemaItem, **options: Any) -> Table:
        """A table of the service, by its plain name; defined once."""
        return Table(self.name(name), self.metadata, *items, **options)

    def index(self, name: str, *columns: Any, where: Any = None, unique: bool = False) -> Index:
        """`where`: it holds those rows alone. Index names are shared by all tables: say the table's too."""
        return Index(self.name(name), *columns, unique=unique, postgresql_where=where, sqlite_where=where)

    def insert(self, table: Table) -> postgresql.Insert | sqlite.Insert:
        """An INSERT that knows ON CONFLICT."""
        return sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)
