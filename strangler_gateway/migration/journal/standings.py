"""Where every unit stands, in memory; and what the store still has to be told of it."""

import asyncio
import logging
from collections import deque
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from typing import Protocol

from strangler_gateway.migration.journal.journal_entry import Entry, Event, Standing, after
from strangler_gateway.migration.states import Move

log = logging.getLogger(__name__)

MAX_OWED = 10_000


class Store(Protocol):
    """Keeps entries beyond the process. Methods block and raise OSError."""

    @property
    def recent(self) -> Iterable[Entry]:
        """The latest entries that were read or appended, oldest first."""
        ...

    @property
    def damaged(self) -> Collection[int]:
        """Lines that `read` had to skip."""
        ...

    def open(self) -> None:
        """Makes the store writable by this process."""
        ...

    def close(self) -> None:
        """Ends that."""
        ...

    def read(self) -> Iterator[Entry]:
        """Every entry, oldest first."""
        ...

    def append(self, entries: Sequence[Entry], /) -> None:
        """Keeps all of the entries, or raises and keeps none."""
        ...


class Ledger:
    """The standings, and the entries that make them. `owed` are entries that count already and are not yet kept."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.standings: Mapping[str, Standing] = {}
        self.refused: dict[str, Entry] = {}
        """The last move of each unit that the file asked for in vain."""
        self.problem: str | None = None
        """Why the store could not be written, the last time it was tried."""
        self._owed: deque[Entry] = deque(maxlen=MAX_OWED)

    async def load(self) -> None:
        """Replays the store; a store that is away leaves the standings empty, and says so in `problem`."""
        try:
            await asyncio.to_thread(self.store.open)
        except OSError as exc:
            self.problem = _reason(exc)
        try:
            self.standings = await asyncio.to_thread(self._replay)
        except OSError as exc:
            self.problem = self.problem or _reason(exc)

    def _replay(self) -> Mapping[str, Standing]:
        standings: dict[str, Standing] = {}
        for entry in self.store.read():
            standings[entry.unit] = after(standings.get(entry.unit), entry)
            self._note(entry)
        if self.store.damaged:
            log.warning("the journal's lines %s are no entries and do not count", list(self.store.damaged))
        return standings

    def preview(self, entries: Iterable[Entry]) -> Mapping[str, Standing]:
        """The standings once the entries count."""
        standings = dict(self.standings)
        for entry in entries:
            standings[entry.unit] = after(standings.get(entry.unit), entry)
        return standings

    def stand(self, entries: Sequence[Entry], *, owed: bool = False) -> None:
        """From here on the entries count. `owed`: the store is told with the next write."""
        self.standings = self.preview(entries)
        for entry in entries:
            self._note(entry)
        if owed:
            self._owed.extend(entries)

    def _note(self, entry: Entry) -> None:
        if entry.event is Event.REFUSED:
            self.refused[entry.unit] = entry
        else:
            self.refused.pop(entry.unit, None)

    def is_news(self, wish: Move) -> bool:
        """Whether the refusal of this wish of the file has not been journalled yet."""
        last = self.refused.get(wish.unit)
        return last is None or (last.asked, last.why) != (wish.after, wish.why)

    async def write(self, entries: Sequence[Entry] = ()) -> str | None:
        """Tells the store what is owed and these entries; None, or why it could not be told (then all stays owed)."""
        owed = tuple(self._owed)
        try:
            await asyncio.to_thread(self._tell, (*owed, *entries))
        except OSError as exc:
            self.problem = _reason(exc)
            return self.problem
        for _ in owed:
            self._owed.popleft()
        self.problem = None
        return None

    def _tell(self, entries: Sequence[Entry]) -> None:
        """With nothing to tell: finds out whether the store could be told."""
        if entries:
            self.store.append(entries)
        else:
            self.store.open()

    def log(self, limit: int, unit: str | None = None) -> list[Entry]:
        """The latest entries, newest last, those that are owed included."""
        entries = [e for e in (*self.store.recent, *self._owed) if unit is None or e.unit == unit]
        return entries[-limit:]


def _reason(exc: OSError) -> str:
    return f"{exc.strerror}: {exc.filename}" if exc.strerror and exc.filename else str(exc)
