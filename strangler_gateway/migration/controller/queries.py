"""What is asked of the controller and moves nothing: evidence by the counters of all gateways, the log, the diff."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from strangler_gateway.cluster.store import StoreAway
from strangler_gateway.config.faults import RoutesInvalid
from strangler_gateway.evidence.breach import breach
from strangler_gateway.evidence.snapshot import Snapshot
from strangler_gateway.migration.gate.pool import Counts, total
from strangler_gateway.migration.gate.snapshot import snapshot
from strangler_gateway.migration.guards.guard import CountsSeen
from strangler_gateway.migration.guards.sentinel import Sentinel
from strangler_gateway.migration.journal.journal_entry import JournalEntry, Standing
from strangler_gateway.migration.replica import Replica
from strangler_gateway.migration.routes_file.diff import Diff, compare
from strangler_gateway.migration.routes_file.on_disk import RoutesOnDisk
from strangler_gateway.migration.rules.move_policy import MovePolicy
from strangler_gateway.migration.rules.move_rules import Evidence
from strangler_gateway.migration.rules.readiness import ServiceReadiness
from strangler_gateway.migration.rules.shared_counts import Counted, CountSource, own_row
from strangler_gateway.migration.served_table import ServedTable
from strangler_gateway.table.routes import Movable


@dataclass(frozen=True, slots=True)
class Queries:
    """`refresh`: see `Migration`."""

    served: ServedTable
    policy: MovePolicy
    disk: RoutesOnDisk
    replica: Replica
    counts: CountSource
    refresh: Callable[[], Awaitable[None]]
    sentinel: Sentinel

    def movable_of(self, name: str) -> Movable | None:
        """What moves when a group or a route is named: for a route in a group, the group."""
        table = self.served.table
        route = next((route for route in table.routes if route.id == name), None)
        return table.movables.get(name) or (route.movable if route else None)

    def standing(self, unit: str) -> Standing | None:
        """Where a movable stands; None: it is not served."""
        return self.served.standings.by_unit[unit] if unit in self.served.table.movables else None

    @property
    def unconfirmed(self) -> frozenset[str]:
        """Movables of which the store has told nothing since the start: the journal alone says where they stand."""
        served = () if self.replica.store.alone else self.served.table.movables
        return frozenset(unit for unit in served if not self.replica.is_confirmed(unit))

    async def row(self, units: Sequence[str]) -> dict[str, Any]:
        """What this gateway has counted of movables, for another gateway's question. Raises KeyError."""
        await self.refresh()
        standings, stats = self.served.standings.by_unit, self.policy.stats
        return own_row(self.served.table, units, standings, stats, self.policy.examples)

    async def evidence(self, name: str) -> Snapshot:
        """What all gateways know of a movable that is served, rule by rule. Raises KeyError."""
        known, counted = await self.known(name)
        assert known.gate is not None  # every movable that is served has it
        found = self.sentinel.judgements.get(name) if name in self.sentinel.watched() else None
        return snapshot(name, known.gate, counted.problems).with_rule(breach(found))

    async def known(self, name: str) -> tuple[Evidence, Counted]:
        """What all gateways know of a movable that is served, and by which counters. Raises KeyError."""
        counted = await self.counts.of([name])
        return self._evidence(name, counted), counted

    async def seen(self, unit: str) -> CountsSeen | None:
        """What the gate knows of a movable since its last move; None: not all gateways answer. Raises KeyError."""
        known, counted = await self.known(unit)
        assert known.gate is not None  # every movable that is served has it
        step = counted.stats.steps.get(unit)
        before = total(Counts(*row) for row in step.before.values()) if step else Counts()
        return None if counted.problems else CountsSeen(known.gate, before)

    def tick(self, seconds: float) -> None:
        """So much time has passed, for what counts only for a while."""
        self.policy.stats.tick()
        for name, movable in self.served.table.movables.items():
            if name in self.policy.stats.steps:
                rules = movable.gate
                self.policy.stats.steps[name].timings.tick(seconds, rules.latency_skip_s, rules.latency_window_s)

    async def look(self) -> None:
        """Takes every look of the gate that is due: it depends on the traffic, not on when somebody asks.

        Of several gateways who makes automatic moves does it for all.
        """
        units = [name for name in self.served.table.movables if name in self.policy.stats.steps]
        try:
            if not units or await self.replica.store.lease() is None:
                return
        except StoreAway:
            return
        counted = await self.counts.of(units)
        for name in units:
            if name in self.served.table.movables:
                self._evidence(name, counted)

    def _evidence(self, name: str, counted: Counted) -> Evidence:
        standing = counted.standing(name, self.served.standings.by_unit[name])
        known = self.policy.by(counted).evidence(self.served.table, name, standing)
        if not counted.problems:
            self.policy.keep_look(name, counted)
        return known

    def log(self, limit: int = 100, unit: str | None = None) -> list[JournalEntry]:
        """The latest entries of the journal, newest last."""
        return self.served.standings.log(limit, unit)

    async def diff(self) -> Diff:
        """The file that is on the disk now, compared with what is served."""
        try:
            text, file = await self.disk.read()
        except RoutesInvalid as exc:
            return Diff(self.served.table.digest, None, tuple(map(str, exc.faults)), unread=True)
        return compare(self.served.table, file, text != self.disk.text, self._reason)

    def _reason(self, unit: str) -> str:
        return self.served.standings.reason(unit, file_moves=self.disk.moves)

    async def services(self) -> list[ServiceReadiness]:
        """Every service of the served table, asked now, all at once."""
        return await asyncio.gather(*map(self.policy.probe, self.served.table.services.values()))
