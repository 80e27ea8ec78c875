"""What of the routes file has been taken up, by unit: so that an old wish of the file is not taken for a new one.

A file that a flip could not write shows the old state after a restart too; that is no wish to go back.
"""

import json
from collections.abc import Mapping
from pathlib import Path

from strangler_gateway.migration.journal.journal_entry import parse_place, place
from strangler_gateway.migration.routes_file import atomic_file
from strangler_gateway.migration.states import Position

MAX_BYTES = 4 << 20


class LastSeen:
    """`routes-seen.json` in the state directory. Methods block."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> dict[str, Position]:
        """By unit; where it cannot be read nothing, and everything in the routes file counts as a wish."""
        try:
            with self.path.open("rb") as file:
                raw = json.loads(file.read(MAX_BYTES))
            return {unit: parse_place(where) for unit, where in raw.items()}
        except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
            return {}

    def write(self, taken: Mapping[str, Position]) -> None:
        """Replaces the file. Raises OSError."""
        data = json.dumps({unit: place(where) for unit, where in taken.items()})
        atomic_file.replace(self.path, data.encode(), 0o600)
