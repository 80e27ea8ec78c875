"""What is served: the file's table, with every unit where the ledger has it."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from strangler_gateway.migration.journal.journal_entry import Entry, Event, Standing
from strangler_gateway.migration.journal.standings import Ledger
from strangler_gateway.migration.routes_file.on_disk import placed
from strangler_gateway.table.routes import RouteTable

log = logging.getLogger(__name__)


class NotServed(Exception):
    """A table that could not be swapped in; the old one serves on."""


class Board:
    """Swaps whole tables. `adopt` takes a table or raises and leaves the old one; the first is not handed to it."""

    def __init__(self, ledger: Ledger, adopt: Callable[[RouteTable], None]) -> None:
        self.ledger = ledger
        self._adopt = adopt
        self._served: RouteTable | None = None
        self.swaps = 0
        """How many tables have been served; tells a later one from an earlier one of the same digest."""

    @property
    def served(self) -> RouteTable:
        """The table that requests are answered by."""
        if self._served is None:
            raise RuntimeError("nothing is served before start()")
        return self._served

    def sealed(self, file: RouteTable, entries: Sequence[Entry]) -> list[Entry]:
        """The entries with the digest of the table that they lead to."""
        digest = _table(file, self.ledger.preview(entries)).digest
        return [replace(entry, digest=digest) for entry in entries]

    def serve(self, file: RouteTable, entries: Sequence[Entry], *, owed: bool = False) -> None:
        """One swap of the whole table, and from here on the entries count. Raises NotServed; then neither."""
        table = _table(file, self.ledger.preview(entries))
        if self._served is not None and table != self._served:
            try:
                self._adopt(table)
            except Exception as exc:
                log.exception("table %s cannot be served", table.digest)
                raise NotServed(f"the new table cannot be served, the old one stays: {exc}") from exc
        self.ledger.stand(entries, owed=owed)
        self.swaps += table != self._served
        self._served = table

    async def withdraw(self, entries: Sequence[Entry]) -> None:
        """Tells the journal that moves which stand in it already have not come about."""
        moves = [entry for entry in entries if entry.event in (Event.FLIP, Event.FILE)]
        self.ledger.stand([_undone(entry) for entry in moves], owed=True)
        await self.ledger.write()


def _undone(entry: Entry) -> Entry:
    back = entry.before or entry.after
    return replace(entry, event=Event.FAILED, before=entry.after, after=back, forced=(), baseline=None)


def _table(file: RouteTable, standings: Mapping[str, Standing]) -> RouteTable:
    known = {name: unit for name, unit in file.movables.items() if name in standings}
    return file.with_movables({name: placed(unit, standings[name].position) for name, unit in known.items()})
