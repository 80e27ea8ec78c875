"""routes.yaml as it lies on the disk: read whole, written unit by unit, and what of it has been taken up."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Set
from dataclasses import replace
from pathlib import Path

from strangler_gateway.config.file import RoutesInvalid, load
from strangler_gateway.migration.routes_file.applied_wishes import LastSeen
from strangler_gateway.migration.routes_file.edit import Edit, NotEdited, edit, read
from strangler_gateway.migration.states import Position, position_of
from strangler_gateway.table.faults import Fault
from strangler_gateway.table.routes import MigrationState, Movable, RouteTable

log = logging.getLogger(__name__)


class RoutesOnDisk:
    """`table` is what the file says, as far as it has been read or written; its states are wishes."""

    table: RouteTable

    def __init__(self, path: Path, seen: LastSeen, environ: Mapping[str, str]) -> None:
        self.path = path
        self.text = ""
        """As last taken or written."""
        self._seen = seen
        self._environ = environ
        self._taken: dict[str, Position] = {}

    async def open(self) -> None:
        """Recalls what was taken up before the last restart."""
        self._taken = await asyncio.to_thread(self._seen.read)

    async def read(self) -> tuple[str, RouteTable]:
        """The file's text and table. Raises RoutesInvalid, also for a file that is away or no text."""
        try:
            text = await asyncio.to_thread(read, self.path)
        except (OSError, ValueError) as exc:
            raise RoutesInvalid([Fault(1, "", f"{self.path.name} cannot be read: {exc}")]) from exc
        return text, await asyncio.to_thread(load, text, self._environ)

    def take(self, text: str, table: RouteTable, kept: Set[str]) -> None:
        """From here on the file says this; all of it is taken up but the `kept` units' wishes."""
        self.text, self.table = text, table
        self._taken = {unit: where for unit, where in self._taken.items() if unit in table.movables}
        self._settle(name for name in table.movables if name not in kept)

    def asks(self, unit: str, wanted: Position) -> bool:
        """Whether the file's position of the unit is a new wish: one that has not been taken up."""
        return wanted != self._taken.get(unit)

    async def write(self, positions: Mapping[str, Position]) -> str | None:
        """Puts the positions into the file, other bytes untouched; None, or why it could not be done."""
        known = {name: self.table.movables[name] for name in positions if name in self.table.movables}
        edits = tuple(Edit(name, unit.kind, positions[name]) for name, unit in known.items())
        try:
            edited = await asyncio.to_thread(edit, self.path, edits)
        except NotEdited as exc:
            self._settle(positions)
            return f"{exc}; the file still shows the old state, `strangler diff` tells"
        if edited.before == self.text:
            self.text = edited.after
        self.table = self.table.with_movables({name: placed(unit, positions[name]) for name, unit in known.items()})
        self._settle(positions)
        return None

    def _settle(self, units: Iterable[str]) -> None:
        """What the file shows of these units is no wish any more: taken up, or overtaken by a later move."""
        self._taken |= {name: position_of(self.table.movables[name]) for name in units if name in self.table.movables}

    async def remember(self) -> None:
        """Keeps what was taken up over a restart; a state directory that is away is told of elsewhere."""
        try:
            await asyncio.to_thread(self._seen.write, dict(self._taken))
        except OSError as exc:
            log.warning("what was taken up of %s cannot be kept: %s", self.path.name, exc)


def placed(unit: Movable, position: Position) -> Movable:
    """The unit at a position; its share outside canary stays as the file has it."""
    if position.state is MigrationState.CANARY:
        return replace(unit, state=position.state, share=position.share)
    return replace(unit, state=position.state)
