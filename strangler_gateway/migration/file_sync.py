"""Applies a routes file in one pass: compares its wishes with the standings and makes moves of them."""

import logging
from dataclasses import dataclass

from strangler_gateway.migration.journal.journal_entry import JournalEvent
from strangler_gateway.migration.move_policy import MovePolicy
from strangler_gateway.migration.move_result import Reloaded
from strangler_gateway.migration.routes_file.on_disk import RoutesOnDisk
from strangler_gateway.migration.served_table import OVERTAKEN, ServedTable
from strangler_gateway.migration.states import Move
from strangler_gateway.table.position import position_of
from strangler_gateway.table.routes import RouteTable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FileSync:
    """The caller applies one file at a time; a rollback may come in between."""

    served: ServedTable
    policy: MovePolicy
    disk: RoutesOnDisk

    async def apply(self, text: str, file: RouteTable) -> Reloaded:
        """Judges, journals, serves. If a wish is refused, that movable alone stays where it is. Raises NotServed."""
        standings, wishes = self.served.standings, self._wishes(file)
        unreachable = await self.policy.unreachable(file, wishes)
        judged = [self.policy.judge(file, wish, standings.by_unit[wish.unit], unreachable) for wish in wishes]
        results = await self.served.enact(file, judged, JournalEvent.FILE, "file")
        moved = tuple(result for result in results if result.done)
        kept = tuple(result for result in results if not result.done)
        for result in kept:
            log.warning("the file asks for a move of %s that is refused: %s", result.unit, result.reason)
        self.disk.accept(text, file, open_wishes={r.unit for r in kept if r.refusals[0].code != OVERTAKEN})
        await self.disk.remember()
        return Reloaded(self.served.table.digest, (), moved, kept)

    def _wishes(self, file: RouteTable) -> list[Move]:
        """Moves that the file asks for and did not ask for before."""
        standings = self.served.standings.by_unit
        wanted = {unit: position_of(movable) for unit, movable in file.movables.items() if unit in standings}
        return [
            Move(unit, standings[unit].position, to, f"file {file.digest}")
            for unit, to in wanted.items()
            if to != standings[unit].position and self.disk.asks(unit, to)
        ]
