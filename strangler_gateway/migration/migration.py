"""The controller of moves: judges, journals, serves, writes the routes file; one move at a time."""

import asyncio
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from strangler_gateway.config.faults import RoutesInvalid
from strangler_gateway.migration.around import OwnProcesses, SharedControl
from strangler_gateway.migration.controller.agreement import Agreement
from strangler_gateway.migration.controller.moves import Moves
from strangler_gateway.migration.controller.queries import Queries
from strangler_gateway.migration.controller.rollbacks import Rollbacks
from strangler_gateway.migration.controller.upkeep import Upkeep
from strangler_gateway.migration.enactment import Enactment
from strangler_gateway.migration.follow import Follower
from strangler_gateway.migration.guards.guard import Guards
from strangler_gateway.migration.guards.sentinel import (
    OwnFailures,
    Sentinel,
    sentinel_file,
    watched,
    with_known,
)
from strangler_gateway.migration.journal.journal import Journal
from strangler_gateway.migration.journal.journal_entry import JournalEntry, JournalEvent, Standing
from strangler_gateway.migration.journal.standings import Standings
from strangler_gateway.migration.replica import Replica
from strangler_gateway.migration.routes_file.on_disk import RoutesOnDisk
from strangler_gateway.migration.routes_file.sync import FileSync
from strangler_gateway.migration.rules.move_policy import MovePolicy
from strangler_gateway.migration.rules.move_result import Reloaded
from strangler_gateway.migration.rules.preflight import BrokerProbe, Examples, Probe
from strangler_gateway.migration.rules.readiness import ask
from strangler_gateway.migration.rules.shared_counts import OwnCounts
from strangler_gateway.migration.saved.counters import counters_file
from strangler_gateway.migration.saved.saved_file import SavedFile
from strangler_gateway.migration.served_table import NotServed, ServedGroups, ServedTable
from strangler_gateway.table.position import LEGACY
from strangler_gateway.table.routes import RouteTable
from strangler_gateway.telemetry.stats import Stats

log = logging.getLogger(__name__)


class Migration:
    """The controller of one gateway process: its parts, its start and its end. A refusal is a MoveResult.

    The standings of the journal decide what is served; the file only holds wishes. A rollback never waits for its turn:
    whatever has awaited checks the standings again before it goes on.
    """

    def __init__(
        self,
        routes_path: Path,
        state_dir: Path,
        *,
        stats: Stats,
        adopt: Callable[[RouteTable], None],
        broker: BrokerProbe,
        examples: Examples,
        probe: Probe = ask,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        journal: Journal | None = None,
        saved: Sequence[SavedFile] = (),
        save_every_s: float = 5.0,
        file_moves: bool = True,
        processes: OwnProcesses | None = None,
        shared: SharedControl | None = None,
    ) -> None:
        """`adopt` swaps the whole served table, or raises and leaves the old one; `clock` tells Unix seconds.

        `saved`: what else is kept in the state directory. `file_moves`: whether the states of a changed file move
        groups. `processes`, `shared`: None for a gateway of one process that is alone.
        """
        processes, shared = processes or OwnProcesses(), shared or SharedControl()
        self.state_dir = state_dir
        self.faults: tuple[str, ...] = ()
        """Of the file as it was last read; the last good table is served meanwhile."""
        self.failed_reloads = 0
        self._stats = stats
        self.refresh, self._acknowledged, self._clock = processes.refresh, processes.acknowledged, clock
        self._turn = turn = asyncio.Lock()
        store, counts = shared.store, shared.counts or OwnCounts(stats, examples)
        policy = MovePolicy(stats, probe, broker, examples, clock, self.refresh, not store.alone)
        self._standings = Standings(journal or Journal(state_dir))
        self._served = served = ServedTable(self._standings, policy, adopt)
        environ = os.environ if environ is None else environ
        seen = state_dir / "routes-seen.json"
        self._disk = disk = RoutesOnDisk(routes_path, seen, environ, moves=file_moves, must_write=store.alone)
        local = ServedGroups(served, policy, lambda: disk.table, self._acknowledged)
        self.replica = Replica(store, local, shared.members, shared.run)
        enactment = Enactment(served, policy, self.replica)
        agreement = Agreement(served, disk, self.replica, enactment, self._acknowledged)
        self._sync = FileSync(served, policy, disk, self.replica, enactment, counts)
        self._follower = Follower(self.replica, agreement.followed, turn, agreement.write_followed)
        moves = Moves(policy, agreement, counts, turn)
        rollbacks = Rollbacks(policy, agreement, turn, shared.ask_driver)
        self.failures = OwnFailures(stats, processes.count_again)
        standings = self._standings
        self.sentinel = Sentinel(
            shared.failures or self.failures, lambda: with_known(watched(served.table), standings.by_unit, clock())
        )
        queries = Queries(served, policy, disk, self.replica, counts, self.refresh, self.sentinel)
        # What is called from outside, by the part that does it.
        self.flip, self.release, self.adopt, self.plan = moves.flip, moves.release, moves.adopt, moves.plan
        self.lease = store.lease
        self.rollback, self.rollback_names = rollbacks.rollback, rollbacks.names
        self.roll_back, self.automatic = rollbacks.by_guard, rollbacks.by_driver
        self.evidence, self.known = queries.evidence, queries.known
        self.seen, self.row = queries.seen, queries.row
        self.standing, self.movable_of, self._queries = queries.standing, queries.movable_of, queries
        self.log, self.diff, self.services = queries.log, queries.diff, queries.services
        own = counters_file(state_dir / "counters.json", stats), sentinel_file(state_dir, self.sentinel, clock)
        files = (*own, *saved)
        follower = None if store.alone else self._follower
        self._upkeep = Upkeep(self._standings, files, queries.tick, queries.look, follower, turn, save_every_s)
        self.guards = Guards(self, clock)

    async def start(self) -> RouteTable:
        """The first table; `adopt` is not called for it. Raises RoutesInvalid, StateDirInUse.

        The state directory may be away: then flips are off until it is back.
        """
        text, file = await self._disk.read()
        await self._standings.load()
        await self._disk.open()
        unread = await self._upkeep.restore()
        for reason in filter(None, (self.problem, *unread)):
            log.warning("state directory %s: %s", self.state_dir, reason)
        self._disk.table = file
        async with self._turn:
            await self._sync.apply(text, file)
        self._served.live = True
        self._upkeep.begin()
        return self.served

    async def aclose(self) -> None:
        """Ends the guards, writes the saved files once more, and releases the state directory."""
        await self.guards.aclose()
        if await self._upkeep.end():
            self._stats.stop()
            await self._upkeep.save()
        await asyncio.to_thread(self._standings.journal.close)

    async def check(self) -> None:
        """Reads the file, and changes nothing. Raises RoutesInvalid."""
        await self._disk.read()

    async def hand_over(self, written: Callable[[], None]) -> str | None:
        """Writes everything down and releases the state directory for another process; or None, or why it cannot.

        No move is made from here on, unless `resume` is called. `written` is called in the moment whose counters the
        other process begins with.
        """
        await self._turn.acquire()
        problem = await self._standings.write()
        if problem is None:
            await self._upkeep.end()
            self._stats.stop()
            problem = self._upkeep.write_down(written)
            if problem is not None:
                self._stats.go_on()
                self._upkeep.begin()
        if problem is not None:
            self._turn.release()
        return problem

    async def resume(self) -> None:
        """The other process has ended without serving: goes on from what it has journalled. Raises OSError."""
        await self._standings.load()
        self._served.serve(self._disk.table, ())
        self._stats.go_on()
        self._upkeep.begin()
        self._turn.release()

    async def reload(self) -> Reloaded:
        """Applies the file as it is now; a faulty file leaves the last good table in use."""
        async with self._turn:
            try:
                reloaded = await self._sync.apply(*await self._disk.read())
                await self._acknowledged()
            except (RoutesInvalid, NotServed) as exc:
                return self._bad(exc)
            self.faults = ()
            log.info("the routes file is accepted, table %s is served", reloaded.digest)
            return reloaded

    def _bad(self, exc: RoutesInvalid | NotServed) -> Reloaded:
        self.faults = tuple(map(str, exc.faults)) if isinstance(exc, RoutesInvalid) else (str(exc),)
        self.failed_reloads += 1
        log.error("the routes file is refused, the last good table stays in use: %s", "; ".join(self.faults))
        return Reloaded(self.served.digest, self.faults)

    async def forgotten(self, gateway: str, who: str, why: str) -> None:
        """Somebody says that another gateway has stopped for good."""
        entry = JournalEntry(self._clock(), JournalEvent.FORGOTTEN, gateway, who, why, None, LEGACY)
        async with self._turn:
            if problem := await self._standings.write([entry]):
                log.warning("%s is forgotten by %s, and the journal does not say so: %s", gateway, who, problem)

    @property
    def served(self) -> RouteTable:
        """The table that requests are matched against."""
        return self._served.table

    @property
    def swaps(self) -> int:
        """How many tables have been served so far."""
        return self._served.swaps

    @property
    def standings(self) -> Mapping[str, Standing]:
        """Where each movable stands, including movables that the file no longer has."""
        return self._standings.by_unit

    @property
    def problem(self) -> str | None:
        """Why flips are off: what keeps the state directory from being written."""
        return self._standings.problem

    @property
    def store_problem(self) -> str | None:
        """Why the store that the gateways share does not answer."""
        return self._follower.problem

    @property
    def unconfirmed(self) -> frozenset[str]:
        """Movables of which the store has told nothing since the start: the journal alone says where they stand."""
        return self._queries.unconfirmed
