"""Judges moves by what is known now, and writes them as entries of the journal."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from strangler_gateway.cluster.record import GroupRecord, consume, decide, hold, plan_state, position
from strangler_gateway.migration.gate.shown import shown
from strangler_gateway.migration.gate.snapshot import snapshot
from strangler_gateway.migration.journal.journal_entry import JournalEntry, JournalEvent, Standing
from strangler_gateway.migration.rules import preflight
from strangler_gateway.migration.rules.move_result import MoveResult
from strangler_gateway.migration.rules.move_rules import Evidence, MoveRefusal, refusals, standing_refusals, warnings
from strangler_gateway.migration.rules.preflight import BrokerProbe, Examples, Probe
from strangler_gateway.migration.rules.shared_counts import Counted, CountSource
from strangler_gateway.migration.states import Direction, Move, PlanMove, undo
from strangler_gateway.table.position import position_of
from strangler_gateway.table.routes import MigrationState, RouteTable
from strangler_gateway.telemetry.stats import Stats

Unreachable = Mapping[str, tuple[MoveRefusal, ...]]
"""By movable: its new ends that do not answer or are not ready."""

_UNCOUNTED = (MigrationState.LEGACY, MigrationState.RETIRED)
"""There is no step forward that the gate is asked about."""


@dataclass(frozen=True, slots=True)
class MovePolicy:
    """`clock` tells Unix seconds."""

    stats: Stats
    probe: Probe
    broker: BrokerProbe
    examples: Examples
    clock: Callable[[], float]
    refresh: Callable[[], Awaitable[None]]
    """Returns when `stats` has what every process of this gateway has counted."""
    shared: bool = False
    """Other gateways follow the same store: what a file wished is kept there."""

    async def unreachable(self, table: RouteTable, moves: Sequence[Move]) -> Unreachable:
        """Probes the new ends of all movables that are to go forward, at once; then the counters are fresh."""
        units = [move.unit for move in moves if move.direction is Direction.FORWARD]
        asked = (preflight.unreachable(table, unit, self.probe, self.broker) for unit in units)
        found = await asyncio.gather(*asked)
        if units:
            await self.refresh()
        return dict(zip(units, found, strict=True))

    async def judged(
        self,
        table: RouteTable,
        move: Move,
        standing: Standing,
        counts: CountSource,
        unreachable: Unreachable | None = None,
    ) -> MoveResult:
        """What would become of the move, by what all gateways have counted."""
        if move.direction is not Direction.FORWARD or move.before.state is MigrationState.LEGACY:
            return self.judge(table, move, standing, unreachable)
        counted = await counts.of([move.unit])
        missing = tuple(MoveRefusal("counters", f"{move.unit}: {one}", forcible=True) for one in counted.problems)
        found = ((unreachable or {}).get(move.unit, ())) + missing
        here = counted.standing(move.unit, standing)
        result = self.by(counted).judge(table, move, here, {move.unit: found}, counted.problems)
        self.keep_look(move.unit, counted)
        return result

    def by(self, counted: Counted) -> "MovePolicy":
        """The same policy, with these counters."""
        return replace(self, stats=counted.stats, examples=counted.examples)

    def keep_look(self, unit: str, counted: Counted) -> None:
        """The gate's look that was taken at the counters of all is kept with this gateway's own."""
        own, theirs = self.stats.steps.get(unit), counted.stats.steps.get(unit)
        if own is not None and theirs is not None:
            own.look, own.accepted = theirs.look, theirs.accepted

    def judge(
        self,
        table: RouteTable,
        move: Move,
        standing: Standing,
        unreachable: Unreachable | None = None,
        problems: Sequence[str] = (),
    ) -> MoveResult:
        """What would become of the move. `problems`: why the counters prove nothing."""
        known = self.evidence(table, move.unit, standing, (unreachable or {}).get(move.unit, ()))
        found = refusals(move, known)
        left = standing_refusals(move, found)
        return MoveResult(
            move,
            move.before if left else move.after,
            refusals=left,
            overridden=tuple(refusal for refusal in found if refusal not in left),
            warnings=() if left else warnings(move, known),
            undo=() if left else undo(move.before, move.after),
            held=known.hold is not None,
            gate=_asked(move, known),
            evidence=_told(move, known, problems),
        )

    def evidence(
        self, table: RouteTable, unit: str, standing: Standing, unreachable: tuple[MoveRefusal, ...] = ()
    ) -> Evidence:
        """What is known of a movable. Takes the gate's look that is due: call it often, whoever wants to know."""
        movable = table.movables[unit]
        return preflight.evidence(table, movable, standing, self.stats, self.examples, self.clock(), unreachable)

    def begin_steps(self, table: RouteTable, standings: Mapping[str, Standing]) -> None:
        """Counts begin anew for every movable that has moved."""
        for gone in self.stats.steps.keys() - table.movables.keys():
            self.stats.end_steps(gone)
        for unit in table.movables:
            standing = standings[unit]
            if standing.position.state in _UNCOUNTED:
                self.stats.end_steps(unit)
            else:
                routes = [route.id for route in preflight.routes_of(table, unit)]
                self.stats.begin_step(unit, standing.since, standing.position.share, routes)

    def entry(
        self,
        event: JournalEvent,
        table: RouteTable,
        move: Move,
        who: str,
        record: GroupRecord,
        result: MoveResult | None = None,
        plan: PlanMove | None = None,
    ) -> JournalEntry:
        """The move of a record as an entry. A movable that enters shadow starts a new count of compared answers."""
        file = table.digest if self.shared and event is JournalEvent.FILE else None
        state = replace(plan_state(record), step=plan.step, asked="", approved="", probe=False) if plan else None
        decided = decide(record, move.after, self.clock(), who=who, why=move.why, plan=state, file=file)
        entry = self.told(event, table, move, who, decided, result)
        return replace(entry, automatic=plan is not None and plan.lease is not None)

    def told(
        self,
        event: JournalEvent,
        table: RouteTable,
        move: Move,
        who: str,
        record: GroupRecord,
        result: MoveResult | None = None,
    ) -> JournalEntry:
        """What happened to a movable as an entry; `record`: what it has led to."""
        overridden = result.overridden if result is not None else ()
        enters = move.after.state is MigrationState.SHADOW and move.before.state is not MigrationState.SHADOW
        baseline = preflight.baseline(table, move.unit, self.stats) if enters else None
        return JournalEntry(
            self.clock(),
            event,
            move.unit,
            who,
            move.why,
            move.before,
            move.after,
            forced=tuple(refusal.code for refusal in overridden),
            reasons=tuple(refusal.message for refusal in overridden),
            baseline=baseline,
            evidence=result.evidence if result is not None else None,
            record=record,
        )

    def taken(self, table: RouteTable, unit: str, known: Standing | None, record: GroupRecord) -> JournalEntry:
        """A record that other gateways have changed, as an entry."""
        here, there = known or Standing(), position(record)
        rolled_back, was_held = hold(record), here.hold
        moved = known is None or there != here.position or rolled_back != was_held
        event = JournalEvent.STORE if moved else JournalEvent.RECORD
        who, why = record.decision.who, record.decision.why
        if rolled_back is not None:
            who, why = rolled_back.who, rolled_back.why
        elif was_held is not None:
            who, why = "another gateway", "released"
        return self.told(event, table, Move(unit, here.position, there, why), who, record)

    def adoption(self, table: RouteTable, unit: str, who: str, why: str, record: GroupRecord) -> JournalEntry:
        """The state that the file gives a movable which nobody has moved yet, as a decision."""
        here, baseline = position_of(table.movables[unit]), preflight.baseline(table, unit, self.stats)
        decided = decide(record, here, self.clock(), who=who, why=why)
        return JournalEntry(
            self.clock(), JournalEvent.ADOPTED, unit, who, why, None, here, baseline=baseline, record=decided
        )

    def refusal(self, table: RouteTable, refused: MoveResult, record: GroupRecord | None) -> JournalEntry:
        """A wish of the file that is refused; the movable stays. Many gateways consider it no more.

        `record` None: it was not considered, and may be asked again.
        """
        move = refused.move
        return JournalEntry(
            self.clock(),
            JournalEvent.REFUSED,
            move.unit,
            "file",
            move.why,
            move.before,
            move.before,
            reasons=tuple(refusal.message for refusal in refused.refusals),
            asked=move.after,
            record=consume(record, table.digest) if self.shared and record is not None else None,
        )


def _asked(move: Move, known: Evidence) -> Mapping[str, Any] | None:
    """The gate's numbers for a move that it was asked about."""
    gate = known.gate
    if move.rollback or move.direction is not Direction.FORWARD or gate is None or gate.verdict is None:
        return None
    return shown(gate)


def _told(move: Move, known: Evidence, problems: Sequence[str]) -> Mapping[str, Any] | None:
    """What was known when the move was judged, for the journal."""
    report = {"report": asdict(move.report)} if move.report is not None else {}
    return snapshot(move.unit, known.gate, problems).to_json() | report if known.gate is not None else report or None
