"""The table that is served: the file's routes with each movable at its standing. Moves are journalled first."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Final

from strangler_gateway.migration.journal.journal_entry import JournalEntry, JournalEvent, Standing
from strangler_gateway.migration.journal.standings import Standings
from strangler_gateway.migration.move_policy import MovePolicy
from strangler_gateway.migration.move_result import MoveResult
from strangler_gateway.migration.states import Direction
from strangler_gateway.table.position import placed
from strangler_gateway.table.routes import RouteTable

log = logging.getLogger(__name__)


OVERTAKEN: Final = "overtaken"
"""The code of the refusal of a move whose movable was rolled back meanwhile."""


class NotServed(Exception):
    """A table could not be swapped in; the old one stays."""


class ServedTable:
    """Swaps whole tables. `adopt` takes a table, or raises and leaves the old one; it is not called for the first."""

    def __init__(self, standings: Standings, policy: MovePolicy, adopt: Callable[[RouteTable], None]) -> None:
        self.standings = standings
        self._policy = policy
        self._adopt = adopt
        self._served: RouteTable | None = None
        self.swaps = 0
        """How many tables have been served; it tells tables with the same digest apart."""

    @property
    def table(self) -> RouteTable:
        """The table that requests are matched against."""
        if self._served is None:
            raise RuntimeError("nothing is served before start()")
        return self._served

    async def enact(
        self, file: RouteTable, judged: Sequence[MoveResult], event: JournalEvent, who: str
    ) -> list[MoveResult]:
        """Journals the moves, then serves the file's table with them. Raises NotServed.

        A move comes back refused if it goes forward and the journal cannot be written, or if a rollback came while the
        journal was written.
        """
        known, results = self.standings.by_unit, list(judged)
        entries = self.sealed(file, self._entries(file, results, event, who))
        problem = await self.standings.write(entries)
        if problem:
            results = [_unless_forward(result, problem) for result in results]
            entries = self.sealed(file, self._entries(file, results, event, who))
        overtaken = {unit for unit, standing in known.items() if self.standings.by_unit[unit] is not standing}
        fresh = [entry for entry in entries if entry.unit not in overtaken]
        try:
            self.serve(file, fresh, owed=problem is not None)
        except NotServed:
            await self._withdraw(fresh)
            raise
        return [_overtaken(result) if result.unit in overtaken else result for result in results]

    def sealed(self, file: RouteTable, entries: Sequence[JournalEntry]) -> list[JournalEntry]:
        """The entries with the digest of the table that they lead to."""
        digest = _table(file, self.standings.preview(entries)).digest
        return [replace(entry, digest=digest) for entry in entries]

    def serve(self, file: RouteTable, entries: Sequence[JournalEntry], *, owed: bool = False) -> None:
        """Swaps the whole table; from here on the entries count. Raises NotServed, and then nothing has changed."""
        table = _table(file, self.standings.preview(entries))
        if self._served is not None and table != self._served:
            try:
                self._adopt(table)
            except Exception as exc:
                log.exception("table %s cannot be served", table.digest)
                raise NotServed(f"the new table cannot be served, the old one stays: {exc}") from exc
        self.standings.apply(entries, owed=owed)
        self._policy.begin_steps(table, self.standings.by_unit)
        self.swaps += table != self._served
        self._served = table

    def _entries(
        self, file: RouteTable, results: Sequence[MoveResult], event: JournalEvent, who: str
    ) -> list[JournalEntry]:
        """Unknown movables as they stand in the file, moves, and refused wishes of the file: each of them once."""
        entries = [self._policy.adoption(file, unit) for unit in file.movables if unit not in self.standings.by_unit]
        for result in results:
            if result.done:
                entries.append(self._policy.entry(event, file, result.move, who, result))
            elif event is JournalEvent.FILE and self.standings.is_news(result.move):
                entries.append(self._policy.refusal(result))
        return entries

    async def _withdraw(self, entries: Sequence[JournalEntry]) -> None:
        """Tells the journal that moves which it holds already are not served."""
        moves = [entry for entry in entries if entry.event in (JournalEvent.FLIP, JournalEvent.FILE)]
        self.standings.apply([_undone(entry) for entry in moves], owed=True)
        await self.standings.write()


def _undone(entry: JournalEntry) -> JournalEntry:
    back = entry.before or entry.after
    said = replace(entry, forced=(), reasons=(), baseline=None, evidence=None)
    return replace(said, event=JournalEvent.FAILED, before=entry.after, after=back)


def _unless_forward(result: MoveResult, problem: str) -> MoveResult:
    """Without the journal movables go back, never forward."""
    return result.unrecorded(problem) if result.done and result.move.direction is Direction.FORWARD else result


def _overtaken(result: MoveResult) -> MoveResult:
    refused = replace(result, refusals=())
    return refused.refused(OVERTAKEN, f"{result.unit} was rolled back in the meantime and is on hold")


def _table(file: RouteTable, standings: Mapping[str, Standing]) -> RouteTable:
    known = {name: movable for name, movable in file.movables.items() if name in standings}
    return file.with_movables({name: placed(movable, standings[name].position) for name, movable in known.items()})
