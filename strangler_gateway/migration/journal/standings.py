"""Where every movable stands, in memory; and the entries that the journal does not hold yet."""

import asyncio
import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence

from strangler_gateway.cluster.record import GroupRecord
from strangler_gateway.migration.journal.directory_lock import StateDirInUse
from strangler_gateway.migration.journal.journal import Journal
from strangler_gateway.migration.journal.journal_entry import (
    NOT_SHOWN,
    JournalEntry,
    JournalEvent,
    Standing,
    after,
    iso,
)
from strangler_gateway.migration.states import Move

log = logging.getLogger(__name__)

MAX_OWED = 10_000


class Standings:
    """The standings, and the entries that they follow from. `owed`: entries that count and are not written yet."""

    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.by_unit: Mapping[str, Standing] = {}
        self.refused: dict[str, JournalEntry] = {}
        """By movable: the last move that the file asked for and did not get."""
        self.problem: str | None = None
        """Why the journal could not be written, the last time it was tried."""
        self._owed: deque[JournalEntry] = deque(maxlen=MAX_OWED)

    async def load(self) -> None:
        """Replays the journal. If it cannot be read, the standings stay empty and `problem` says why.

        Raises StateDirInUse: two gateways on one directory would each undo what the other does.
        """
        try:
            await asyncio.to_thread(self.journal.open)
        except StateDirInUse:
            raise
        except OSError as exc:
            self.problem = _reason(exc)
        try:
            self.by_unit = await asyncio.to_thread(self._replay)
        except OSError as exc:
            self.problem = self.problem or _reason(exc)

    def _replay(self) -> Mapping[str, Standing]:
        for entry in self.journal.read():
            self._note(entry)
        if self.journal.damaged:
            log.warning("the journal's lines %s are damaged and are skipped", list(self.journal.damaged))
        return dict(self.journal.standings)

    def record(self, unit: str) -> GroupRecord:
        """What all gateways know of the movable, as far as this one knows; an empty record if it knows nothing."""
        known = self.by_unit.get(unit)
        return known.record if known else GroupRecord()

    def preview(self, entries: Iterable[JournalEntry]) -> Mapping[str, Standing]:
        """The standings once the entries count."""
        standings = dict(self.by_unit)
        for entry in entries:
            standings[entry.unit] = after(standings.get(entry.unit), entry)
        return standings

    def assume(self, standings: Mapping[str, Standing]) -> None:
        """Movables that nothing is known of stand here until something is."""
        self.by_unit = {**self.by_unit, **standings}

    def apply(self, entries: Sequence[JournalEntry], *, owed: bool = False) -> None:
        """From here on the entries count. `owed`: the next write puts them into the journal."""
        self.by_unit = self.preview(entries)
        for entry in entries:
            self._note(entry)
        if owed:
            self._owed.extend(entries)

    def _note(self, entry: JournalEntry) -> None:
        if entry.event is JournalEvent.REFUSED:
            self.refused[entry.unit] = entry
        elif entry.event is not JournalEvent.RECORD:
            self.refused.pop(entry.unit, None)

    def is_news(self, wish: Move) -> bool:
        """Whether the refusal of this wish of the file is not in the journal yet."""
        last = self.refused.get(wish.unit)
        return last is None or (last.asked, last.why) != (wish.after, wish.why)

    def reason(self, unit: str, *, file_moves: bool = True) -> str:
        """Why the movable stands elsewhere than the file says."""
        standing, refused = self.by_unit[unit], self.refused.get(unit)
        if refused is not None:
            return "; ".join(refused.reasons)
        if standing.hold is not None:
            return f"rolled back by {standing.hold.who} at {iso(standing.hold.since)} and on hold"
        file = "the file was not written, or has changed since" if file_moves else "the file moves no group"
        return f"moved by {standing.who} at {iso(standing.since)}; {file}"

    async def write(self, entries: Sequence[JournalEntry] = ()) -> str | None:
        """Writes what is owed and these entries; None, or why it failed (and then what was owed stays owed)."""
        owed = tuple(self._owed)
        try:
            await asyncio.to_thread(self._put, (*owed, *entries))
        except OSError as exc:
            self.problem = _reason(exc)
            return self.problem
        for _ in owed:
            self._owed.popleft()
        self.problem = None
        return None

    def _put(self, entries: Sequence[JournalEntry]) -> None:
        """Without entries: finds out whether the journal can be written."""
        if entries:
            self.journal.append(entries)
        else:
            self.journal.open()

    def log(self, limit: int, unit: str | None = None) -> list[JournalEntry]:
        """The latest entries, newest last, including those that are owed."""
        shown = (e for e in (*self.journal.recent, *self._owed) if e.event not in NOT_SHOWN)
        return [e for e in shown if unit is None or e.unit == unit][-limit:]


def _reason(exc: OSError) -> str:
    return f"{exc.strerror}: {exc.filename}" if exc.strerror and exc.filename else str(exc)
