"""What every move does with the store, the other gateways, the journal and the routes file, once it is judged."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from strangler_gateway.cluster.record_json import RecordInvalid
from strangler_gateway.cluster.store import StoreAway, StoredRecord
from strangler_gateway.config.faults import RoutesInvalid
from strangler_gateway.migration.enactment import Enactment
from strangler_gateway.migration.journal.journal_entry import JournalEntry, JournalEvent
from strangler_gateway.migration.replica import NotAgreed, Replica
from strangler_gateway.migration.routes_file.on_disk import RoutesOnDisk
from strangler_gateway.migration.rules.move_result import MoveResult
from strangler_gateway.migration.served_table import NotServed, ServedTable
from strangler_gateway.migration.states import Direction, PlanMove
from strangler_gateway.table.position import Position, position_of

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Agreement:
    """The caller has the turn. `acknowledged`: see `Migration`."""

    served: ServedTable
    disk: RoutesOnDisk
    replica: Replica
    enactment: Enactment
    acknowledged: Callable[[], Awaitable[tuple[str, ...]]]

    async def found(self, name: str) -> tuple[StoredRecord | None, str]:
        """The movable as the store and this gateway both know it; or None, and why not."""
        try:
            return await self.replica.agreed(name), ""
        except (StoreAway, NotAgreed, RecordInvalid) as exc:
            return None, str(exc)

    async def shareable(self, judged: MoveResult, problem: str) -> MoveResult:
        """The move, unless the store or another gateway keeps it back. A move back asks no other gateway."""
        if problem:
            return judged.unshared(problem)
        try:
            forward = judged.move.direction is Direction.FORWARD
            behind = await self.replica.behind(judged.unit) if forward else ()
        except StoreAway as exc:
            return judged.unshared(str(exc))
        return judged.refused("members", "; ".join(behind)) if behind else judged

    async def decided(self, found: StoredRecord, entry: JournalEntry, lease: str | None = None) -> bool:
        """Whether the store has taken the change."""
        try:
            return await self.replica.decide(found, entry, lease)
        except StoreAway as exc:
            log.warning("the store may not have taken the change of %s: %s", entry.unit, exc)
            return False

    async def carried_out(self, result: MoveResult, entry: JournalEntry) -> MoveResult:
        """Serves what is decided in the store already."""
        file = self.disk.table
        problem = await self.served.standings.write(entries := self.served.sealed(file, [entry]))
        try:
            self.served.serve(file, entries, owed=problem is not None)
        except NotServed as exc:
            await self.enactment.withdraw(entries)
            return self.now(result.refused("not_served", str(exc)))
        await self.report()
        return self.now(result, (f"kept in memory alone; a restart may forget it ({problem})",) if problem else ())

    async def enact(
        self,
        judged: MoveResult,
        found: Mapping[str, StoredRecord],
        event: JournalEvent,
        who: str,
        plan: PlanMove | None = None,
    ) -> MoveResult:
        """Decides, journals, serves, writes the file; in this order, so that a crash loses no move that was served."""
        try:
            [result] = await self.enactment.enact(self.disk.table, [judged], found, event, who, plan)
        except NotServed as exc:
            return self.now(judged.refused("not_served", str(exc)))
        if not result.done:
            return self.now(result)
        written, late, _ = await asyncio.gather(self.write_file([result.unit]), self.acknowledged(), self.report())
        problem = self.served.standings.problem
        notes = (f"served, and kept in memory only ({problem})",) if problem else ()
        return self.now(result, notes + written + late)

    async def report(self) -> None:
        """Tells the other gateways what is settled here, if the store answers."""
        with contextlib.suppress(StoreAway):  # the follower does it again
            await self.replica.report()

    async def reported(self, result: MoveResult) -> MoveResult:
        """The move, and which gateways have not said in time that they serve it. Needs no turn."""
        try:
            behind = await self.replica.until_reported(result.unit)
        except StoreAway as exc:
            behind = (f"nobody knows which other gateways serve it: {exc}",)
        return replace(result, warnings=(*result.warnings, *behind))

    async def write_file(self, units: Sequence[str]) -> tuple[str, ...]:
        """Writes the movables' standings into the file; a note if it cannot be written."""
        by_unit = self.served.standings.by_unit
        note = await self.disk.write({unit: by_unit[unit].position for unit in units})
        await self.disk.remember()
        return (note,) if note else ()

    def followed(self) -> dict[str, Position]:
        """The movables that the follower asks the store about, and where they stand."""
        movables, by_unit = self.disk.table.movables, self.served.standings.by_unit
        return {unit: here.position for unit, here in by_unit.items() if unit in movables}

    async def write_followed(self, before: Mapping[str, Position]) -> None:
        """What others have moved goes into the file, too, where it still says what was served before."""
        by_unit = self.served.standings.by_unit
        moved = [unit for unit, was in before.items() if by_unit[unit].position != was]
        try:
            file = (await self.disk.read())[1].movables if moved else {}
        except RoutesInvalid:
            return
        old = [unit for unit in moved if unit in file and position_of(file[unit]) == before[unit]]
        for note in await self.write_file(old) if old else ():
            log.info("%s", note)

    def now(self, result: MoveResult, notes: tuple[str, ...] = ()) -> MoveResult:
        """The result as things stand now."""
        standing = self.served.standings.by_unit[result.unit]
        held, warnings = standing.hold is not None, result.warnings + notes
        return replace(result, after=standing.position, held=held, warnings=warnings, digest=self.served.table.digest)
