"""Applies a routes file in one pass: compares its wishes with the standings and makes moves of them."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace

from strangler_gateway.cluster.record_json import MAX_FILES
from strangler_gateway.cluster.store import StoreAway, StoredRecord
from strangler_gateway.migration.enactment import OVERTAKEN, Enactment
from strangler_gateway.migration.journal.journal_entry import JournalEntry, JournalEvent
from strangler_gateway.migration.replica import Replica, of_groups
from strangler_gateway.migration.restart import unconfirmed
from strangler_gateway.migration.routes_file.on_disk import RoutesOnDisk
from strangler_gateway.migration.rules.move_policy import MovePolicy
from strangler_gateway.migration.rules.move_result import MoveResult, Reloaded
from strangler_gateway.migration.rules.shared_counts import CountSource
from strangler_gateway.migration.served_table import ServedTable
from strangler_gateway.migration.states import Direction, Move
from strangler_gateway.table.position import position_of
from strangler_gateway.table.routes import RouteTable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FileSync:
    """The caller applies one file at a time; a rollback may come in between."""

    served: ServedTable
    policy: MovePolicy
    disk: RoutesOnDisk
    replica: Replica
    enactment: Enactment
    counts: CountSource

    async def apply(self, text: str, file: RouteTable) -> Reloaded:
        """Judges, decides, journals, serves. If a wish is refused, that movable alone stays. Raises NotServed."""
        away = await self._meet(file)
        found: dict[str, StoredRecord] = {}
        if away is None:
            try:
                found = await self._found(file)
            except StoreAway as exc:
                away = str(exc)
        wishes = self._wishes(file)
        unreachable = await self.policy.unreachable(file, wishes)
        standings = self.served.standings
        judged = [
            await self.policy.judged(file, wish, standings.by_unit[wish.unit], self.counts, unreachable)
            for wish in wishes
        ]
        asked = [await self._agreed(result, found, away) for result in judged]
        results = await self.enactment.enact(file, asked, found, JournalEvent.FILE, "file")
        moved = tuple(result for result in results if result.done)
        kept = tuple(result for result in results if not result.done)
        for result in kept:
            log.warning("the file asks for a move of %s that is refused: %s", result.unit, result.reason)
        self.disk.accept(text, file, open_wishes={result.unit for result in kept if self._stays_open(result)})
        await self.disk.remember()
        return Reloaded(self.served.table.digest, (), moved, kept)

    async def _meet(self, file: RouteTable) -> str | None:
        """Gives a standing to every movable of the file that has none; None, or why the store does not answer."""
        strange = [unit for unit in file.movables if unit not in self.served.standings.by_unit]
        try:
            found = of_groups(await self.replica.store.read_all(), strange)
        except StoreAway as exc:
            self.served.standings.assume({unit: unconfirmed(file.movables[unit]) for unit in strange})
            return str(exc)
        if self.replica.store.alone:
            await self._adopt(file, found)
        else:
            news = [self.policy.taken(file, unit, None, one.record) for unit, one in found.items()]
            self.served.standings.apply(self.served.sealed(file, news), owed=True)
        return None

    async def _adopt(self, file: RouteTable, found: Mapping[str, StoredRecord]) -> None:
        """What this gateway does not know, nobody has decided: it stands as in the file."""
        adopted: list[JournalEntry] = []
        for unit, one in found.items():
            entry = self.policy.adoption(file, unit, "file", f"file {file.digest}", one.record)
            if entry.record is not None and await self.replica.store.cas(unit, entry.record, one.index):
                adopted.append(entry)
        self.served.standings.apply(self.served.sealed(file, adopted), owed=True)

    async def _found(self, file: RouteTable) -> dict[str, StoredRecord]:
        """What the store holds of the file's movables, once this gateway has taken it over."""
        await self.replica.take(of_groups(await self.replica.store.read_all(), file.movables))
        return of_groups(await self.replica.store.read_all(), file.movables)

    async def _agreed(self, judged: MoveResult, found: Mapping[str, StoredRecord], away: str | None) -> MoveResult:
        """What became of the wish, if this gateway and the others know the same."""
        undecided = replace(judged, refusals=())
        if away is not None:
            return undecided.unshared(away)
        if self.served.standings.record(judged.unit) != found[judged.unit].record:
            return undecided.refused(OVERTAKEN, f"{judged.unit} has just been changed by another gateway: look again")
        if not judged.done:
            return judged
        try:
            behind = await self.replica.behind(judged.unit) if judged.move.direction is Direction.FORWARD else ()
        except StoreAway as exc:
            return judged.unshared(str(exc))
        return judged.refused("members", "; ".join(behind)) if behind else judged

    def _stays_open(self, kept: MoveResult) -> bool:
        """Whether the wish is asked again. Alone, until the file says something else; else once (N10, S9)."""
        return kept.refusals[0].code != OVERTAKEN if self.replica.store.alone else kept.is_undecided

    def _wishes(self, file: RouteTable) -> list[Move]:
        """Moves that the file asks for and did not ask for before, here or at another gateway."""
        standings = self.served.standings.by_unit
        wanted = {unit: position_of(movable) for unit, movable in file.movables.items() if unit in standings}
        return [
            Move(unit, standings[unit].position, to, f"file {file.digest}")
            for unit, to in wanted.items()
            if to != standings[unit].position and self.disk.asks(unit, to) and self._is_asked(unit, file.digest)
        ]

    def _is_asked(self, unit: str, digest: str) -> bool:
        """With other gateways, a file that this one sees first says nothing new, and no file is considered twice."""
        files = self.served.standings.record(unit).files
        known = self.replica.store.alone or self.disk.has_seen(unit)
        return known and digest not in files and len(files) < MAX_FILES
