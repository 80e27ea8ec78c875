"""routes.yaml on the disk: read whole, written movable by movable; and which of its wishes have been applied.

A file that a flip could not write shows the old state after a restart as well; that is no wish to go back.
"""

import asyncio
import json
import logging
from collections.abc import Iterable, Mapping, Set
from pathlib import Path

from chassis.error_reason import reason
from strangler_gateway.config.faults import Fault
from strangler_gateway.config.file import RoutesInvalid, load
from strangler_gateway.migration.routes_file.edit import Edit, FileReadOnly, NotEdited, edit, read
from strangler_gateway.migration.saved import whole_file
from strangler_gateway.table.position import Position, parse_place, place, placed, position_of
from strangler_gateway.table.routes import RouteTable

log = logging.getLogger(__name__)

MAX_SEEN_BYTES = 4 << 20


class RoutesOnDisk:
    """`table` is what the file says, as far as it has been read or written; its states are wishes."""

    table: RouteTable

    def __init__(
        self, path: Path, seen: Path, environ: Mapping[str, str], *, moves: bool = True, must_write: bool = True
    ) -> None:
        """`seen`: the file in the state directory that keeps the applied wishes.

        `moves`: whether its states are wishes; else nobody writes it either. `must_write`: whether it is a fault if it
        may not be written; not where a store keeps the states.
        """
        self.path, self.moves = path, moves
        self._must_write = must_write
        self.text = ""
        """As last accepted or written."""
        self._seen = seen
        self._environ = environ
        self._applied: dict[str, Position] = {}
        """By movable: what the file says of it and does not ask for any more."""

    async def open(self) -> None:
        """Recalls the wishes that were applied before the last restart."""
        self._applied = await asyncio.to_thread(_recalled, self._seen)

    async def read(self) -> tuple[str, RouteTable]:
        """The file's text and table. Raises RoutesInvalid, also if the file is away or holds no text."""
        try:
            text = await asyncio.to_thread(read, self.path)
        except (OSError, ValueError) as exc:
            raise RoutesInvalid([Fault(0, "", f"{self.path.name} cannot be read: {reason(exc)}")]) from exc
        return text, await asyncio.to_thread(load, text, self._environ)

    def accept(self, text: str, table: RouteTable, open_wishes: Set[str]) -> None:
        """From here on the file says this; its wishes are applied, but for those of the movables in `open_wishes`."""
        self.text, self.table = text, table
        self._applied = {unit: where for unit, where in self._applied.items() if unit in table.movables}
        self._settle(name for name in table.movables if name not in open_wishes)

    def asks(self, unit: str, wanted: Position) -> bool:
        """Whether the position that the file gives the movable is a wish that has not been applied."""
        return self.moves and wanted != self._applied.get(unit)

    def has_seen(self, unit: str) -> bool:
        """Whether an earlier file, or an earlier state of this one, said something of the movable."""
        return unit in self._applied

    async def write(self, positions: Mapping[str, Position]) -> str | None:
        """Writes the positions into the file and leaves its other bytes; None, or why it could not be written."""
        if not self.moves:
            return None
        known = {name: self.table.movables[name] for name in positions if name in self.table.movables}
        edits = tuple(Edit(name, movable.kind, positions[name]) for name, movable in known.items())
        try:
            edited = await asyncio.to_thread(edit, self.path, edits)
        except NotEdited as exc:
            self._settle(positions)
            if isinstance(exc, FileReadOnly) and not self._must_write:
                return None
            return f"{exc}; the file still shows the old state, see `strangler diff`"
        if edited.before == self.text:
            self.text = edited.after
        self.table = self.table.with_movables(
            {name: placed(movable, positions[name]) for name, movable in known.items()}
        )
        self._settle(positions)
        return None

    def _settle(self, units: Iterable[str]) -> None:
        """What the file says of these movables is no wish any more: it was applied, or a later move overtook it."""
        movables = self.table.movables
        self._applied |= {name: position_of(movables[name]) for name in units if name in movables}

    async def remember(self) -> None:
        """Keeps the applied wishes over a restart; if the state directory is away, `problem` reports it elsewhere."""
        data = json.dumps({unit: place(where) for unit, where in self._applied.items()}).encode()
        try:
            await asyncio.to_thread(whole_file.replace, self._seen, data, 0o600)
        except OSError as exc:
            log.warning("the applied wishes of %s cannot be kept: %s", self.path.name, exc)


def _recalled(seen: Path) -> dict[str, Position]:
    """By movable; nothing if the file cannot be read, and then everything in the routes file counts as a wish."""
    try:
        raw = json.loads(whole_file.read(seen, MAX_SEEN_BYTES))
        return {unit: parse_place(where) for unit, where in raw.items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
