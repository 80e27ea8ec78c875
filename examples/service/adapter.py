"""The anti-corruption layer: the only file that knows the monolith's tables. It implements the ports on them."""

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

from chassis.store import StoreUnavailable

_TITLES = "SELECT title FROM book WHERE reader = ? ORDER BY rowid"
_BUSY_S = 2.0


class MonolithBooks:
    """Reads the monolith's SQLite file, and never changes it."""

    def __init__(self, database: Path) -> None:
        self._url = f"{database.resolve().as_uri()}?mode=ro"

    async def titles_of(self, reader: str) -> Sequence[str]:
        """Implements the port."""
        return [title for (title,) in await asyncio.to_thread(self._rows, _TITLES, reader)]

    async def ping(self) -> None:
        """Implements the port."""
        await asyncio.to_thread(self._rows, f"{_TITLES} LIMIT 1", "")

    def _rows(self, statement: str, *values: str) -> list[tuple[str]]:
        try:
            with closing(sqlite3.connect(self._url, timeout=_BUSY_S, uri=True)) as connection:
                return connection.execute(statement, values).fetchall()
        except sqlite3.Error as error:
            raise StoreUnavailable(str(error)) from error
