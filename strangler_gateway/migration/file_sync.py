"""Takes up a routes file unit by unit: strange units as they stand, wishes by the edges that every move passes."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from strangler_gateway.migration.journal.journal_entry import Entry, Event
from strangler_gateway.migration.move_policy import Judge
from strangler_gateway.migration.move_result import Outcome, Reloaded, unrecorded
from strangler_gateway.migration.routes_file.on_disk import RoutesOnDisk
from strangler_gateway.migration.served_table import Board, NotServed
from strangler_gateway.migration.states import Direction, Move, position_of
from strangler_gateway.table.routes import RouteTable

log = logging.getLogger(__name__)

Outcomes = Mapping[str, Outcome]
"""By unit that the file wants to move."""


@dataclass(frozen=True, slots=True)
class Uptake:
    """The caller sees to it that one file is taken up at a time; a rollback may come in between."""

    board: Board
    judge: Judge
    disk: RoutesOnDisk

    async def take(self, text: str, file: RouteTable) -> Reloaded:
        """Judges, records, serves. A refused wish leaves its unit alone where it is. Raises NotServed."""
        ledger, known = self.board.ledger, self.board.ledger.standings
        wishes = self._wishes(file)
        away = await self.judge.away(file, wishes)
        outcomes: Outcomes = {w.unit: self.judge.outcome(file, w, known[w.unit], away) for w in wishes}
        entries = self.board.sealed(file, self._entries(file, wishes, outcomes))
        problem = await ledger.write(entries)
        if problem:
            outcomes = {unit: _unless_forward(outcome, problem) for unit, outcome in outcomes.items()}
            entries = self.board.sealed(file, self._entries(file, wishes, outcomes))
        fresh = [entry for entry in entries if ledger.standings.get(entry.unit) is known.get(entry.unit)]
        try:
            self.board.serve(file, fresh, owed=problem is not None)
        except NotServed:
            await self.board.withdraw(fresh)
            raise
        self.disk.take(text, file, kept={unit for unit, outcome in outcomes.items() if not outcome.done})
        await self.disk.remember()
        return self._reloaded(outcomes)

    def _wishes(self, file: RouteTable) -> list[Move]:
        """What the file newly asks for."""
        standings = self.board.ledger.standings
        wanted = {name: position_of(unit) for name, unit in file.movables.items() if name in standings}
        return [
            Move(name, standings[name].position, to, f"file {file.digest}")
            for name, to in wanted.items()
            if to != standings[name].position and self.disk.asks(name, to)
        ]

    def _entries(self, file: RouteTable, wishes: Sequence[Move], outcomes: Outcomes) -> list[Entry]:
        """What the journal is told. A refusal is told once, not at every reading of the same file."""
        ledger = self.board.ledger
        entries = [self.judge.adoption(file, name) for name in file.movables if name not in ledger.standings]
        for wish in wishes:
            if outcomes[wish.unit].done:
                entries.append(self.judge.entry(Event.FILE, file, wish, "file"))
            elif ledger.is_news(wish):
                entries.append(self.judge.refusal(wish, outcomes[wish.unit]))
        return entries

    def _reloaded(self, outcomes: Outcomes) -> Reloaded:
        moved = tuple(outcome for outcome in outcomes.values() if outcome.done)
        kept = tuple(outcome for outcome in outcomes.values() if not outcome.done)
        for outcome in kept:
            log.warning("the file asks for a move of %s that is refused: %s", outcome.unit, outcome.reason)
        return Reloaded(self.board.served.digest, (), moved, kept)


def _unless_forward(outcome: Outcome, problem: str) -> Outcome:
    """Without the journal nothing goes forward; what goes back does."""
    if not outcome.done or Move("", outcome.before, outcome.after).direction is not Direction.FORWARD:
        return outcome
    return replace(outcome, after=outcome.before, refusals=(unrecorded(problem),))
