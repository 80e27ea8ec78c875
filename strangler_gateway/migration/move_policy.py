"""Judges moves by what is known now, and words them for the journal."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from strangler_gateway.migration import preflight
from strangler_gateway.migration.journal.journal_entry import Entry, Event, Standing
from strangler_gateway.migration.move_result import Outcome
from strangler_gateway.migration.move_rules import Evidence, refusals, standing_refusals, warnings
from strangler_gateway.migration.preflight import BrokerProbe, Counts, Examples, Probe
from strangler_gateway.migration.states import Direction, Move, position_of, undo
from strangler_gateway.table.routes import MigrationState, RouteTable

Away = Mapping[str, tuple[str, ...]]
"""By unit: its new ends that are not there, each with the reason."""


@dataclass(frozen=True, slots=True)
class Judge:
    """`clock` tells Unix seconds."""

    stats: Counts
    probe: Probe
    broker: BrokerProbe
    examples: Examples
    clock: Callable[[], float]

    async def away(self, table: RouteTable, moves: Sequence[Move]) -> Away:
        """Asks the new ends of what is to go forward, all at once."""
        units = [move.unit for move in moves if move.direction is Direction.FORWARD]
        routes = [preflight.routes_of(table, unit) for unit in units]
        found = await asyncio.gather(*(preflight.unreachable(each, self.probe, self.broker) for each in routes))
        return dict(zip(units, found, strict=True))

    def outcome(self, table: RouteTable, move: Move, standing: Standing, away: Away | None = None) -> Outcome:
        """What would become of the move."""
        known = self._known(table, move, standing, away or {})
        found = refusals(move, known)
        left = standing_refusals(move, found)
        return Outcome(
            move.unit,
            move.before,
            move.before if left else move.after,
            refusals=left,
            overridden=tuple(refusal for refusal in found if refusal not in left),
            warnings=() if left else warnings(move, known),
            undo=() if left else undo(move.before, move.after),
            held=known.hold is not None,
        )

    def entry(self, event: Event, table: RouteTable, move: Move, who: str, forced: Sequence[str] = ()) -> Entry:
        """The move as a line of the journal. Entering shadow starts a new count of what is compared."""
        enters = move.after.state is MigrationState.SHADOW and move.before.state is not MigrationState.SHADOW
        return Entry(
            self.clock(),
            event,
            move.unit,
            who,
            move.why,
            move.before,
            move.after,
            table.digest,
            tuple(forced),
            baseline=preflight.baseline(table, move.unit, self.stats) if enters else None,
        )

    def adoption(self, table: RouteTable, unit: str) -> Entry:
        """A unit that the journal does not know, as it stands in the file."""
        here = position_of(table.movables[unit])
        baseline = preflight.baseline(table, unit, self.stats)
        why = f"file {table.digest}"
        return Entry(self.clock(), Event.ADOPTED, unit, "file", why, None, here, table.digest, baseline=baseline)

    def refusal(self, wish: Move, outcome: Outcome) -> Entry:
        """A wish of the file that is not granted; the unit stays."""
        entry = Entry(self.clock(), Event.REFUSED, wish.unit, "file", wish.why, wish.before, wish.before)
        return replace(entry, asked=wish.after, reasons=tuple(refusal.message for refusal in outcome.refusals))

    def _known(self, table: RouteTable, move: Move, standing: Standing, away: Away) -> Evidence:
        unit, unreachable = table.movables[move.unit], away.get(move.unit, ())
        return preflight.evidence(table, unit, standing, self.stats, self.examples, self.clock(), unreachable)
