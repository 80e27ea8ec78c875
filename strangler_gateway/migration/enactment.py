"""Makes judged moves true: decided in the store, then in the journal, then served; or taken back everywhere."""

from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, replace
from typing import Final

from strangler_gateway.cluster.record import GroupRecord, decide, hold, merge, position
from strangler_gateway.cluster.record_json import RecordInvalid
from strangler_gateway.cluster.store import StoreAway, StoredRecord
from strangler_gateway.migration.journal.journal_entry import JournalEntry, JournalEvent, Standing
from strangler_gateway.migration.replica import Replica
from strangler_gateway.migration.rules.move_policy import MovePolicy
from strangler_gateway.migration.rules.move_result import MoveResult
from strangler_gateway.migration.served_table import NotServed, ServedTable
from strangler_gateway.migration.states import Direction, PlanMove
from strangler_gateway.table.position import LEGACY
from strangler_gateway.table.routes import RouteTable

OVERTAKEN: Final = "overtaken"
"""The code of the refusal of a move whose movable was moved by somebody else meanwhile."""

_MOVES = (JournalEvent.FLIP, JournalEvent.FILE, JournalEvent.ADOPTED)


@dataclass(frozen=True, slots=True)
class Enactment:
    """The caller enacts one list of moves at a time; a rollback, here or elsewhere, may come in between."""

    served: ServedTable
    policy: MovePolicy
    replica: Replica

    async def enact(
        self,
        file: RouteTable,
        judged: Sequence[MoveResult],
        found: Mapping[str, StoredRecord],
        event: JournalEvent,
        who: str,
        plan: PlanMove | None = None,
    ) -> list[MoveResult]:
        """Decides, journals, then serves the file's table with the moves. Raises NotServed.

        `plan`: makes the move. `found`: what the store held when the moves were judged. A move comes back refused if
        somebody else was faster, if it goes forward and the journal cannot be written, or if a rollback came meanwhile.
        """
        standings, known = self.served.standings, self.served.standings.by_unit
        results = await self._recordable(judged)
        entries = self._entries(file, results, event, who, plan)
        lost = await self._lost(entries, found, plan.lease if plan else None)
        results = [_unless_lost(result, lost.get(result.unit)) for result in results]
        entries = self.served.sealed(file, [entry for entry in entries if entry.unit not in lost])
        problem = await standings.write(entries)
        if problem:
            results = [_unless_forward(result, problem) for result in results]
            kept = {result.unit for result in results if result.done}
            entries = [entry if _stands(entry, kept) else self._undone(entry, JournalEvent.RECORD) for entry in entries]
        overtaken = {entry.unit for entry in entries if self._is_overtaken(entry, known.get(entry.unit))}
        fresh = [entry for entry in entries if entry.unit not in overtaken]
        try:
            self.served.serve(file, fresh, owed=problem is not None)
        except NotServed:
            await self.withdraw(fresh)
            raise
        if problem:
            await self.replica.put_back([entry.unit for entry in entries])
        return [_overtaken(r, standings.by_unit[r.unit]) if r.unit in overtaken else r for r in results]

    def _is_overtaken(self, entry: JournalEntry, before: Standing | None) -> bool:
        """Whether this gateway has learnt meanwhile of something that the entry does not know."""
        here = self.served.standings
        if entry.record is None:
            return here.by_unit.get(entry.unit) is not before
        return merge(here.record(entry.unit), entry.record) != entry.record

    async def _recordable(self, judged: Sequence[MoveResult]) -> list[MoveResult]:
        """Nothing is decided that this gateway could not write down."""
        forward = any(result.done and result.move.direction is Direction.FORWARD for result in judged)
        problem = await self.served.standings.write() if forward else None
        return [_unless_forward(result, problem) for result in judged] if problem else list(judged)

    async def _lost(
        self, entries: Sequence[JournalEntry], found: Mapping[str, StoredRecord], lease: str | None
    ) -> dict[str, str]:
        """By movable that somebody else has changed meanwhile: a sentence."""
        lost = {}
        for entry in entries:
            if entry.record is not None:
                sentence = await self._decided(entry, found[entry.unit], lease)
                if sentence is not None:
                    lost[entry.unit] = sentence
        return lost

    async def _decided(self, entry: JournalEntry, found: StoredRecord, lease: str | None) -> str | None:
        try:
            if await self.replica.decide(found, entry, lease):
                return None
            now = (await self.replica.store.read(entry.unit)).record
            return _meanwhile(entry.unit, merge(now, self.served.standings.record(entry.unit)))
        except (StoreAway, RecordInvalid) as exc:
            return f"{entry.unit} may not have moved: {exc}; look again with `strangler routes`"

    def _entries(
        self,
        file: RouteTable,
        results: Sequence[MoveResult],
        event: JournalEvent,
        who: str,
        plan: PlanMove | None,
    ) -> list[JournalEntry]:
        """Moves, and refused wishes of the file: each of them once."""
        entries = []
        for result in results:
            here = self.served.standings.record(result.unit)
            if result.done:
                entries.append(self.policy.entry(event, file, result.move, who, here, result, plan))
            elif event is JournalEvent.FILE and self.served.standings.is_news(result.move):
                entries.append(self.policy.refusal(file, result, None if result.is_undecided else here))
        return entries

    def _undone(self, entry: JournalEntry, event: JournalEvent) -> JournalEntry:
        """The way back of a move that is decided already. It knows no rollback that the move did not know."""
        assert entry.record is not None
        back, now = entry.before or LEGACY, self.policy.clock()
        record = decide(entry.record, back, now, who=entry.who, why="it could not be made everywhere")
        said = replace(entry, forced=(), reasons=(), baseline=None, evidence=None)
        return replace(said, event=event, before=entry.after, after=back, record=record)

    async def withdraw(self, entries: Sequence[JournalEntry]) -> None:
        """Tells the journal and the store that moves which they hold already are not served."""
        moves = [entry for entry in entries if entry.event in _MOVES]
        self.served.standings.apply([self._undone(entry, JournalEvent.FAILED) for entry in moves], owed=True)
        await self.served.standings.write()
        await self.replica.put_back([entry.unit for entry in moves])


def _stands(entry: JournalEntry, kept: Set[str]) -> bool:
    return entry.event not in _MOVES or entry.unit in kept


def _unless_forward(result: MoveResult, problem: str) -> MoveResult:
    """Without the journal movables go back, never forward."""
    return result.unrecorded(problem) if result.done and result.move.direction is Direction.FORWARD else result


def _unless_lost(result: MoveResult, sentence: str | None) -> MoveResult:
    return result.refused(OVERTAKEN, sentence) if sentence and result.done else result


def _overtaken(result: MoveResult, here: Standing) -> MoveResult:
    refused = replace(result, refusals=())
    return refused.refused(OVERTAKEN, _meanwhile(result.unit, here.record))


def _meanwhile(unit: str, now: GroupRecord) -> str:
    """What somebody else has done to the movable."""
    if (seen := hold(now)) is not None:
        return f"{unit} was rolled back by {seen.who} in the meantime and is on hold"
    return f"{now.decision.who or 'another gateway'} moved {unit} to {position(now)} while you asked: look again"
