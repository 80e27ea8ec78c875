"""What the same tests run on: one SQLite file, or, marked `connected`, PostgreSQL and a MongoDB-compatible server."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support.connected import fresh_mongo, fresh_postgres

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


EVERYWHERE = (
    pytest.param(on_sqlite, id="sqlite"),
    pytest.param(on_real_parts, id="real parts", marks=pytest.mark.connected),
)
"""For the `params` of a fixture: it opens `request.param(directory)`."""
