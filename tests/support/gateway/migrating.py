"""A migration in a folder of its own: a routes file, a state directory, and what the controller needs besides."""

import asyncio
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from chassis.service.readiness import UnservedRoute
from strangler_gateway.migration.around import SharedControl
from strangler_gateway.migration.journal.journal import Journal
from strangler_gateway.migration.journal.journal_entry import JournalEntry
from strangler_gateway.migration.migration import Migration
from strangler_gateway.migration.rules.readiness import ServiceReadiness
from strangler_gateway.migration.states import SeenReport
from strangler_gateway.table.position import Position
from strangler_gateway.table.routes import MigrationState, RouteTable, Service
from strangler_gateway.table.rules.publish import PublishRules
from strangler_gateway.telemetry.stats import Stats

ROUTES = """\
version: 1  # read by people, too
services:
  monolith: {url: "http://127.0.0.1:3000"}
  items: {url: "http://127.0.0.1:8102"}

groups:
  # what a catalogue shows
  items: {state: legacy, retire_after: 1d, gate: {min: 10}}  # owned by team A
  orders:
    state: legacy  # writes
    data: own

routes:
  - id: item-read
    group: items
    match: {methods: [GET], path: "/item/{id}"}
    legacy: monolith
    extracted: items
    shadow: {pure: true}
  - id: order-write
    group: orders
    match: {methods: [POST], path: "/order"}
    legacy: monolith
    extracted: items
  - id: search
    gate: {min: 10}
    match: {methods: [GET], path: "/search"}
    legacy: monolith
    extracted: items
    shadow: {pure: true}
  - id: everything-else
    match: {path: "/{rest...}"}
    legacy: monolith
"""
LEGACY, SHADOW, EXTRACTED, RETIRED = (
    Position(state)
    for state in (MigrationState.LEGACY, MigrationState.SHADOW, MigrationState.EXTRACTED, MigrationState.RETIRED)
)


def reported(world: "World", to: Position, unit: str = "items") -> SeenReport | None:
    """What a flip to retired needs; None for all others."""
    return SeenReport(unit, world.now, proven=True, digest="1", asked_by="alice") if to == RETIRED else None


def canary(per_cent: float) -> Position:
    return Position(MigrationState.CANARY, round(per_cent * 100))


async def no_broker(rules: PublishRules) -> str | None:
    return f"a {rules} would not arrive: this gateway has no broker"


class Disk(Journal):
    """A journal whose disk can be taken away, also for a user who may write anything."""

    away = False
    writing = False
    hangs: threading.Event | None = None
    """Set: writes wait for it."""

    def open(self) -> None:
        self._look()
        super().open()

    def append(self, entries: Sequence[JournalEntry]) -> None:
        self._look()
        self.writing = True
        if self.hangs is not None:
            assert self.hangs.wait(10)
        self.writing = False
        super().append(entries)

    def _look(self) -> None:
        if self.away:
            raise OSError(30, "Read-only file system", str(self.path))


@dataclass
class World:
    """What surrounds a controller and outlives it. `now` is the clock; `down` the services that do not answer."""

    folder: Path
    now: float = 1_000_000.0
    down: set[str] = field(default_factory=set)
    unserved: tuple[UnservedRoute, ...] = ()
    """What every service says that it does not serve."""
    slow: asyncio.Event | None = None
    """Set: services answer when it is set."""
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    served: list[RouteTable] = field(default_factory=list)
    examples: Mapping[str, Sequence[Mapping[str, Any]]] = field(default_factory=dict)
    unservable: bool = False
    users: int = 0
    """How many have failed so far."""
    controllers: list[Migration] = field(default_factory=list)
    stats: Stats = field(init=False)
    disk: Disk = field(init=False)

    def __post_init__(self) -> None:
        self.path.write_text(ROUTES)

    @property
    def path(self) -> Path:
        return self.folder / "routes.yaml"

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    def controller(
        self,
        *,
        away: bool = False,
        save_every_s: float = 3600.0,
        journal: Journal | None = None,
        file_moves: bool = True,
        shared: SharedControl | None = None,
    ) -> Migration:
        """As after a start of the process: nothing is left but what lies on the disk."""
        self.stats = Stats(wall=lambda: self.now)
        self.disk = Disk(self.state_dir)
        self.disk.away = away
        controller = Migration(
            self.path,
            self.state_dir,
            stats=self.stats,
            adopt=self.adopt,
            probe=self._probe,
            broker=no_broker,
            examples=lambda route: self.examples.get(route, ()),
            environ={},
            clock=lambda: self.now,
            journal=journal or self.disk,
            save_every_s=save_every_s,
            file_moves=file_moves,
            shared=shared,
        )
        self.controllers.append(controller)
        return controller

    async def started(self, **given: Any) -> Migration:
        """A controller that serves."""
        controller = self.controller(**given)
        await controller.start()
        return controller

    async def aclose(self) -> None:
        for controller in self.controllers:
            await controller.aclose()

    def edit(self, old: str, new: str) -> None:
        """Somebody edits the routes file."""
        text = self.path.read_text()
        assert old in text
        self.path.write_text(text.replace(old, new, 1))

    def compared(self, route: str = "item-read", different: int = 0) -> None:
        """Shadow has seen traffic."""
        counts = self.stats.route(route)
        counts.legacy += 10
        counts.shadow_compared += 10
        counts.shadow_different += different

    def served_both(self, route: str = "item-read", unit: str = "items", *, failed: int = 0, of: int = 40) -> None:
        """Canary has seen drawn users on both sides; `failed` of the requests to the new side."""
        counts = self.stats.steps[unit].of(route)
        counts.new, counts.failed_new, counts.legacy = counts.new + of, counts.failed_new + failed, counts.legacy + of

    def last(self) -> JournalEntry:
        return list(self.journal())[-1]

    def journal(self) -> Iterator[JournalEntry]:
        return Journal(self.state_dir).read()

    def adopt(self, table: RouteTable) -> None:
        if self.unservable:
            raise RuntimeError("the provider cannot be loaded")
        self.served.append(table)

    async def _probe(self, service: Service) -> ServiceReadiness:
        self.asked.set()
        if self.slow is not None:
            await self.slow.wait()
        problem = f"{service.name} accepts no connection" if service.name in self.down else None
        return ServiceReadiness(service, problem, problem is None, self.unserved)
