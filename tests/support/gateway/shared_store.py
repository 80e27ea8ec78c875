"""A store that several migrations of one process share, each over a connection that can be cut; and their members."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field

from strangler_gateway.cluster.record import GroupRecord
from strangler_gateway.cluster.store import StoreAway, StoredRecord, StoreIndex, StoreSnapshot

AWAY = "Consul has not answered since 12:01"


@dataclass
class Shared:
    """The content. `driver`: the gateway that holds the lease, if any."""

    cluster: str = "c1"
    groups: dict[str, StoredRecord] = field(default_factory=dict)
    reports: dict[str, dict[str, str]] = field(default_factory=dict)
    driver: str | None = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    last: int = 0

    def snapshot(self) -> StoreSnapshot:
        return StoreSnapshot(self.cluster, dict(self.groups))

    def change(self, cluster: str, groups: Mapping[str, StoredRecord]) -> None:
        self.cluster, self.groups = cluster, dict(groups)
        self.changed.set()
        self.changed = asyncio.Event()

    def wipe(self) -> None:
        self.reports.clear()
        self.change(f"{self.cluster}x", {})


@dataclass
class Connection:
    """One gateway's, as its store and as its members."""

    name: str
    shared: Shared
    cut: bool = False
    before_cas: asyncio.Event | None = None
    """Set: a `cas` waits for it."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    asked_all: asyncio.Event = field(default_factory=asyncio.Event)
    """All groups were read, other than by the watch."""
    alone = False
    away_since: float | None = None

    async def read(self, group: str) -> StoredRecord:
        self._reach()
        return self.shared.snapshot().of(group)

    async def read_all(self) -> StoreSnapshot:
        self.asked_all.set()
        self._reach()
        return self.shared.snapshot()

    async def cas(self, group: str, record: GroupRecord, index: StoreIndex, driver: str | None = None) -> bool:
        self.asked.set()
        if self.before_cas is not None:
            await self.before_cas.wait()
        self._reach()
        shared = self.shared
        if shared.snapshot().of(group).index != index or (driver is not None and driver != shared.driver):
            return False
        shared.last += 1
        stored = StoredRecord(record, StoreIndex(shared.cluster, shared.last))
        shared.change(shared.cluster, {**shared.groups, group: stored})
        return True

    async def watch(self) -> AsyncIterator[StoreSnapshot]:
        for _ in itertools.count():
            changed = self.shared.changed
            self._reach()
            yield self.shared.snapshot()
            await changed.wait()

    async def lease(self) -> str | None:
        self._reach()
        self.shared.driver = self.shared.driver or self.name
        return self.name if self.shared.driver == self.name else None

    async def report(self, serves: Mapping[str, str]) -> None:
        self._reach()
        self.shared.reports[self.name] = dict(serves)

    async def behind(self, group: str, record: str) -> Sequence[str]:
        self._reach()
        reports = self.shared.reports
        return [f"{name} still serves another state" for name in reports if reports[name].get(group) != record]

    async def until_reported(self, group: str, record: str) -> Sequence[str]:
        for _ in range(100):
            await asyncio.sleep(0.001)
            if not await self.behind(group, record):
                return ()
        return await self.behind(group, record)

    def _reach(self) -> None:
        if self.cut:
            raise StoreAway(AWAY)
