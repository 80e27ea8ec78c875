"""The table that is served: the file's routes with each movable at its standing."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from strangler_gateway.cluster.record import GroupRecord, plan_state, position
from strangler_gateway.migration.journal.journal_entry import JournalEntry, Standing
from strangler_gateway.migration.journal.standings import Standings
from strangler_gateway.migration.restart import with_closed
from strangler_gateway.migration.rules.move_policy import MovePolicy
from strangler_gateway.table.position import LEGACY, placed
from strangler_gateway.table.routes import Movable, RouteTable

log = logging.getLogger(__name__)


class NotServed(Exception):
    """A table could not be swapped in; the old one stays."""


class ServedTable:
    """Swaps whole tables. `adopt` takes a table, or raises and leaves the old one; it is called once `live` is set."""

    def __init__(self, standings: Standings, policy: MovePolicy, adopt: Callable[[RouteTable], None]) -> None:
        self.standings = standings
        self._policy = policy
        self._adopt = adopt
        self._served: RouteTable | None = None
        self.live = False
        """Requests are served: `adopt` is called. Set at the end of the start."""
        self.swaps = 0
        """How many tables have been served; it tells tables with the same digest apart."""

    @property
    def table(self) -> RouteTable:
        """The table that requests are matched against."""
        if self._served is None:
            raise RuntimeError("nothing is served before start()")
        return self._served

    def sealed(self, file: RouteTable, entries: Sequence[JournalEntry]) -> list[JournalEntry]:
        """The entries with the digest of the table that they lead to."""
        digest = _table(file, self.standings.preview(entries)).digest
        return [replace(entry, digest=digest) for entry in entries]

    def serve(self, file: RouteTable, entries: Sequence[JournalEntry], *, owed: bool = False) -> None:
        """Swaps the whole table; from here on the entries count. Raises NotServed, and then nothing has changed."""
        table = _table(file, self.standings.preview(entries))
        if self.live and table != self._served:
            try:
                self._adopt(table)
            except Exception as exc:
                log.exception("table %s cannot be served", table.digest)
                raise NotServed(f"the new table cannot be served, the old one stays: {exc}") from exc
        self.standings.apply(entries, owed=owed)
        self._policy.begin_steps(table, self.standings.by_unit)
        self.swaps += table != self._served
        self._served = table


class ServedGroups:
    """What the protocol of many gateways knows of this one: records, journal, served table."""

    def __init__(
        self,
        served: ServedTable,
        policy: MovePolicy,
        file: Callable[[], RouteTable],
        acknowledged: Callable[[], Awaitable[tuple[str, ...]]],
    ) -> None:
        """`file`: the table of the file as it counts now; `acknowledged`: see `Migration`."""
        self._served, self._policy, self._file, self._acknowledged = served, policy, file, acknowledged

    def record(self, group: str) -> GroupRecord:
        """As it counts here."""
        return self._served.standings.record(group)

    def is_ahead(self, group: str, record: GroupRecord) -> bool:
        """Whether this record leads forward from what is served here."""
        here = self._served.standings.by_unit.get(group)
        return position(record).rank > (here.position if here else LEGACY).rank

    def journalled(self, group: str) -> GroupRecord:
        """As it is on the disk."""
        written = self._served.standings.journal.standings.get(group)
        return written.record if written else GroupRecord()

    def told(self, group: str, record: GroupRecord) -> JournalEntry:
        """What another gateway did, or only the record."""
        return self._policy.taken(self._file(), group, self._known(group), record)

    def knows(self, group: str) -> bool:
        """Whether anything is known of it."""
        return self._known(group) is not None

    def serve(self, entries: Sequence[JournalEntry], *, owed: bool) -> bool:
        """Serves with these entries from now on."""
        file = self._file()
        try:
            self._served.serve(file, self._served.sealed(file, entries), owed=owed)
        except NotServed:
            return False
        return True

    async def is_served(self) -> bool:
        """Whether every process of this gateway serves it."""
        return not await self._acknowledged()

    async def write(self, entries: Sequence[JournalEntry] = ()) -> str | None:
        """Writes what is owed and these entries."""
        return await self._served.standings.write(self._served.sealed(self._file(), entries))

    def _known(self, group: str) -> Standing | None:
        here = self._served.standings.by_unit.get(group)
        return here if here is not None and not here.assumed else None


def _table(file: RouteTable, standings: Mapping[str, Standing]) -> RouteTable:
    known = {name: movable for name, movable in file.movables.items() if name in standings}
    table = file.with_movables({name: _placed(movable, standings[name]) for name, movable in known.items()})
    return with_closed(table, {name for name in known if standings[name].closed})


def _placed(movable: Movable, standing: Standing) -> Movable:
    return placed(movable, standing.position, probe=plan_state(standing.record).probe)
