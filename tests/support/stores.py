"""What the same tests run on: one SQLite file, or, marked `connected`, PostgreSQL and a MongoDB-compatible server."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from tests.support.connected import fresh_mongo, fresh_postgres

SCHEMA = Path(__file__).parents[1] / "recordings" / "schema.sql"
SECRET = "a-secret-of-the-test-run-and-of-nothing-else"


@dataclass(frozen=True)
class Stores:
    """Empty databases. Without `documents_url` the documents are tables of the same SQLite file."""

    database_url: str
    documents_url: str | None = None

    @property
    def monolith_database(self) -> str:
        """As the stand-in's command line takes it: a file by its path."""
        return self.database_url.removeprefix("sqlite:///")


OpenStores = Callable[[Path], Stores]


def on_sqlite(directory: Path) -> Stores:
    return Stores(f"sqlite:///{directory / 'monolith.sqlite3'}")


def on_real_parts(_directory: Path) -> Stores:
    """Fails where a part is missing."""
    return Stores(fresh_postgres(), fresh_mongo())


def on_real_schema(directory: Path) -> Stores:
    """As `on_real_parts`, with the tables that the real monolith creates: its own types, its own foreign keys."""
    stores = on_real_parts(directory)
    with psycopg.connect(stores.database_url, autocommit=True) as connection:
        connection.execute(SCHEMA.read_bytes())
    return stores


EVERYWHERE = (
    pytest.param(on_sqlite, id="sqlite"),
    pytest.param(on_real_parts, id="real parts", marks=pytest.mark.connected),
)
"""For the `params` of a fixture: it opens `request.param(directory)`."""
ON_THE_MONOLITHS_TABLES = (
    pytest.param(on_sqlite, id="sqlite"),
    pytest.param(on_real_schema, id="real schema", marks=pytest.mark.connected),
)
"""The same for the adapter, whose tables have to be the monolith's own."""
