"""One gateway's half of the protocol of many gateways (docs/decisions/many-gateways.md): between store and journal.

Forward: the store, then the journal, then served. Back: served at once. Whatever this gateway knows and the store does
not is put back into the store. Nothing here waits for a turn or watches the time; the caller does.
"""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from strangler_gateway.cluster.record import GroupRecord, merge
from strangler_gateway.cluster.record_json import RecordInvalid, digest
from strangler_gateway.cluster.store import GroupStore, StoreAway, StoredRecord, StoreSnapshot
from strangler_gateway.migration.journal.journal_entry import JournalEntry

log = logging.getLogger(__name__)

TRIES = 20
"""How often a record that others write at the same time is read again."""


class NotAgreed(Exception):
    """This gateway and the store do not hold the same record; the message says why."""


class LocalGroups(Protocol):
    """What this gateway knows and serves."""

    def record(self, group: str) -> GroupRecord:
        """As it counts here; an empty one where nothing is known."""
        ...

    def knows(self, group: str) -> bool:
        """Whether anything is known of it; else it stands where it is assumed to."""
        ...

    def is_ahead(self, group: str, record: GroupRecord) -> bool:
        """Whether this record leads forward from what is served here."""
        ...

    def journalled(self, group: str) -> GroupRecord:
        """As it is on the disk."""
        ...

    def told(self, group: str, record: GroupRecord) -> JournalEntry:
        """The change to this record, for the journal."""
        ...

    def serve(self, entries: Sequence[JournalEntry], *, owed: bool) -> bool:
        """Serves with these entries from now on; False: the table cannot be served, and nothing has changed.

        `owed`: the next write puts them into the journal.
        """
        ...

    async def is_served(self) -> bool:
        """Waits, bounded; whether every process of this gateway serves what counts here."""
        ...

    async def write(self, entries: Sequence[JournalEntry] = ()) -> str | None:
        """Writes what is owed and these entries into the journal; None, or why it failed."""
        ...


class OtherGateways(Protocol):
    """The other gateways, as far as moves need them. Implementations are bounded in time and raise StoreAway alone."""

    async def report(self, serves: Mapping[str, str]) -> None:
        """This gateway serves and has journalled these records, and the store holds the same: by group, the digest."""
        ...

    async def behind(self, group: str, record: str) -> Sequence[str]:
        """Of every known gateway that does not report this digest now, a sentence that names it."""
        ...

    async def until_reported(self, group: str, record: str) -> Sequence[str]:
        """Waits, bounded, until every known gateway reports this digest; a sentence for each that does not."""
        ...


class NobodyElse:
    """The members of a gateway that is alone."""

    async def report(self, serves: Mapping[str, str]) -> None:
        """Nobody asks."""

    async def behind(self, group: str, record: str) -> Sequence[str]:
        """Nobody is."""
        return ()

    async def until_reported(self, group: str, record: str) -> Sequence[str]:
        """Nobody has to."""
        return ()


class Replica:
    """`run` names this process in the rollbacks that it makes."""

    def __init__(self, store: GroupStore, local: LocalGroups, members: OtherGateways, run: str) -> None:
        self.store, self.run = store, run
        self._local, self._members = local, members
        self._stored: dict[str, GroupRecord] = {}
        """By group, what the store is known to have held last."""
        self._mine: dict[str, GroupRecord] = {}
        """By group, what this gateway has decided last: whoever decides also journals and serves it."""
        self._reported: dict[str, GroupRecord] = {}
        self._problem: str | None = None
        """Why this gateway does not follow; logged once."""

    def is_confirmed(self, group: str) -> bool:
        """Whether the store has answered for the group since the start."""
        return group in self._stored

    def open_groups(self, groups: Iterable[str]) -> list[str]:
        """Those of these groups that the store, the journal and this gateway do not know alike."""
        return [group for group in groups if not self._is_settled(group)]

    async def take(self, found: Mapping[str, StoredRecord]) -> None:
        """Takes over what the store knows, and gives it what it does not know. Raises StoreAway."""
        records = {group: one.record for group, one in found.items()}
        self._stored |= records
        fallen = self.fall_back(records)
        await self._go_ahead(records, fallen)
        for group, one in found.items():
            try:
                await self._reassert(group, one)
            except (NotAgreed, RecordInvalid) as exc:
                log.warning("the store does not hold what this gateway knows of %s: %s", group, exc)
        await self.report()

    async def settle(self, found: Mapping[str, StoredRecord]) -> None:
        """The same, once what is owed to the journal is written."""
        await self._local.write()
        await self.take(found)

    def fall_back(self, records: Mapping[str, GroupRecord]) -> bool:
        """Serves at once whatever does not lead forward, and does not wait; whether there was anything."""
        news = self._news({group: record for group, record in records.items() if record != self._mine.get(group)})
        entries = [self._local.told(group, new) for group, new in news.items() if not self._local.is_ahead(group, new)]
        return bool(entries) and self._local.serve(entries, owed=True)

    async def agreed(self, group: str) -> StoredRecord:
        """The group as the store holds it now, and this gateway too. Raises NotAgreed, StoreAway, RecordInvalid."""
        for _ in range(TRIES):
            found = await self.store.read(group)
            await self.take({group: found})
            if self._local.record(group) == found.record:
                return found
            if self._news({group: found.record}):
                problem = await self._local.write()
                raise NotAgreed(problem or "the table that the store asks for cannot be served here, see the log")
        raise NotAgreed("other gateways change it all the time; try again")

    async def decide(self, found: StoredRecord, entry: JournalEntry, driver: str | None = None) -> bool:
        """Writes a decision into the store, if the group stands as it was found; does not serve it. Raises StoreAway.

        False: somebody else has changed it, here or elsewhere.
        """
        assert entry.record is not None
        if self._local.record(entry.unit) != found.record:
            return False
        self._mine[entry.unit] = entry.record
        if not await self.store.cas(entry.unit, entry.record, found.index, driver):
            return False
        self._stored[entry.unit] = entry.record
        return True

    async def put_back(self, groups: Iterable[str]) -> str | None:
        """Gives the store what this gateway knows of these groups; None, or why it has not taken it."""
        problem = None
        for group in groups:
            try:
                await self._reassert(group, await self.store.read(group))
            except (StoreAway, RecordInvalid, NotAgreed) as exc:
                problem = str(exc)
        return problem

    async def report(self) -> None:
        """Tells the others what is settled here, if they have not been told. Raises StoreAway."""
        told = self._reported
        news = {
            group: here for group, here in self._stored.items() if here != told.get(group) and self._is_settled(group)
        }
        if news and await self._local.is_served():
            told |= {group: here for group, here in news.items() if self._stored[group] == here}
            await self._members.report({group: digest(here) for group, here in told.items()})

    async def behind(self, group: str) -> Sequence[str]:
        """Who does not report the record that this gateway has. Raises StoreAway."""
        return await self._members.behind(group, digest(self._local.record(group)))

    async def until_reported(self, group: str) -> Sequence[str]:
        """Who has not reported it in time. Raises StoreAway."""
        return await self._members.until_reported(group, digest(self._local.record(group)))

    async def _go_ahead(self, records: Mapping[str, GroupRecord], fallen: bool) -> None:
        """Journals all news, then serves what leads forward."""
        news = self._news(records)
        entries = [self._local.told(group, new) for group, new in news.items()]
        problem = await self._local.write(entries) if entries or fallen else None
        if problem is None and entries:
            self._local.serve(entries, owed=False)
        elif entries and problem != self._problem:
            log.warning("%s: the journal cannot be written (%s), so this gateway does not follow", list(news), problem)
        self._problem = problem

    async def _reassert(self, group: str, found: StoredRecord) -> None:
        for _ in range(TRIES):
            self._stored[group] = found.record
            mine = merge(self._local.record(group), found.record)
            if mine == found.record:
                return
            if await self.store.cas(group, mine, found.index):
                self._stored[group] = mine
                return
            found = await self.store.read(group)
            self.fall_back({group: found.record})
        raise NotAgreed(f"{group}: other gateways change it all the time")

    def _news(self, records: Mapping[str, GroupRecord]) -> dict[str, GroupRecord]:
        """By group, what these records and this gateway know together, where that is more than it knows."""
        joined = {group: merge(self._local.record(group), record) for group, record in records.items()}
        return {group: new for group, new in joined.items() if self._is_news(group, new)}

    def _is_news(self, group: str, record: GroupRecord) -> bool:
        return record != self._local.record(group) or not self._local.knows(group)

    def _is_settled(self, group: str) -> bool:
        here = self._local.record(group)
        return self._stored.get(group) == here == self._local.journalled(group)


def of_groups(snapshot: StoreSnapshot, groups: Iterable[str]) -> dict[str, StoredRecord]:
    """What the store holds of these groups."""
    return {group: snapshot.of(group) for group in groups}
