"""The controller of moves: judges, journals, serves, writes the routes file; one move at a time."""

import asyncio
import contextlib
import logging
import os
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from strangler_gateway.cluster.record import Hold, RollbackName, held, holds, mint, position, release, rollback
from strangler_gateway.cluster.record_json import RecordInvalid, digest
from strangler_gateway.cluster.store import EmbeddedStore, GroupStore, StoreAway, StoredRecord
from strangler_gateway.config.faults import RoutesInvalid
from strangler_gateway.migration.counters import counters_file
from strangler_gateway.migration.diff import Diff, compare
from strangler_gateway.migration.enactment import OVERTAKEN, Enactment
from strangler_gateway.migration.file_sync import FileSync
from strangler_gateway.migration.follow import Follower
from strangler_gateway.migration.gate.pool import Counts, total
from strangler_gateway.migration.guard import CountsSeen, Guards
from strangler_gateway.migration.journal.journal import Journal
from strangler_gateway.migration.journal.journal_entry import JournalEntry, JournalEvent, Standing
from strangler_gateway.migration.journal.standings import Standings
from strangler_gateway.migration.move_policy import MovePolicy
from strangler_gateway.migration.move_result import MoveResult, Reloaded
from strangler_gateway.migration.move_rules import Evidence
from strangler_gateway.migration.preflight import BrokerProbe, Examples, Probe
from strangler_gateway.migration.readiness import ServiceReadiness, ask
from strangler_gateway.migration.replica import TRIES, NobodyElse, NotAgreed, OtherGateways, Replica
from strangler_gateway.migration.routes_file.on_disk import RoutesOnDisk
from strangler_gateway.migration.saved_file import SavedFile
from strangler_gateway.migration.served_table import NotServed, ServedGroups, ServedTable
from strangler_gateway.migration.shared_counts import Counted, CountSource, OwnCounts, own_row
from strangler_gateway.migration.states import Direction, Move
from strangler_gateway.table.position import LEGACY, Position, position_of
from strangler_gateway.table.routes import Movable, RouteTable
from strangler_gateway.telemetry.stats import Stats

log = logging.getLogger(__name__)

RECORD_TIMEOUT_S = 10.0
"""How long a rollback waits for the disk before it answers; it is served already."""


async def served_at_once() -> tuple[str, ...]:
    """Of a gateway of one process: `adopt` has swapped the table."""
    return ()


async def counted_here() -> None:
    """Of a gateway of one process: its counters are complete."""


AskDriver = Callable[[Mapping[str, Any]], Awaitable[bool]]
"""Asks who holds the lease to roll back: `unit`, `who`, `why`, `evidence`, `record` (its digest when it was judged)."""


async def nobody_else(wish: Mapping[str, Any]) -> bool:
    """Of a gateway that is alone: it holds the lease itself."""
    return False


class Migration:
    """The controller of one gateway process. A refusal is a MoveResult, not an exception.

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
        acknowledged: Callable[[], Awaitable[tuple[str, ...]]] = served_at_once,
        refresh: Callable[[], Awaitable[None]] = counted_here,
        store: GroupStore | None = None,
        members: OtherGateways | None = None,
        run: str | None = None,
        counts: CountSource | None = None,
        ask_driver: AskDriver = nobody_else,
    ) -> None:
        """`adopt` swaps the whole served table, or raises and leaves the old one; `clock` tells Unix seconds.

        `acknowledged` returns when every process serves it, with a note for each that did not in time. `refresh`
        returns when `stats` has what every process has counted. `saved`: what else is kept in the state directory.
        `store`, `members`: those of many gateways; None: this one is alone. `run`: names this process in its rollbacks;
        None: a new random name. `counts`: the sums over all gateways. `ask_driver`: has a rollback made by who holds
        the lease.
        """
        self.state_dir = state_dir
        self.faults: tuple[str, ...] = ()
        """Of the file as it was last read; the last good table is served meanwhile."""
        self.failed_reloads = 0
        self._stats = stats
        self.refresh, self._acknowledged = refresh, acknowledged
        self._store = store or EmbeddedStore()
        shared = not self._store.alone
        self._policy = MovePolicy(stats, probe, broker, examples, clock, refresh, shared)
        self._counts = counts or OwnCounts(stats, examples)
        self._ask_driver = ask_driver
        self._standings = Standings(journal or Journal(state_dir))
        self._served = ServedTable(self._standings, self._policy, adopt)
        self._disk = RoutesOnDisk(
            routes_path, state_dir / "routes-seen.json", os.environ if environ is None else environ
        )
        local = ServedGroups(self._served, self._policy, lambda: self._disk.table, acknowledged)
        self.replica = Replica(self._store, local, members or NobodyElse(), run or secrets.token_hex(6))
        self._enactment = Enactment(self._served, self._policy, self.replica)
        self._sync = FileSync(self._served, self._policy, self._disk, self.replica, self._enactment, self._counts)
        self._saved = (counters_file(state_dir / "counters.json", stats), *saved)
        self.guards = Guards(self, clock)
        self._turn = asyncio.Lock()
        self._save_every_s = save_every_s
        self._clock = clock
        self._follower = Follower(self.replica, self._followed, self._turn, self._write_followed)
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> RouteTable:
        """The first table; `adopt` is not called for it. Raises RoutesInvalid, StateDirInUse.

        The state directory may be away: then flips are off until it is back.
        """
        text, file = await self._disk.read()
        await self._standings.load()
        await self._disk.open()
        unread = [await asyncio.to_thread(file.restore) for file in self._saved]
        for reason in filter(None, (self.problem, *unread)):
            log.warning("state directory %s: %s", self.state_dir, reason)
        self._disk.table = file
        async with self._turn:
            await self._sync.apply(text, file)
        self._served.live = True
        self._begin_tasks()
        return self.served

    async def aclose(self) -> None:
        """Ends the guards, writes the saved files once more, and releases the state directory."""
        await self.guards.aclose()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._tasks:
            await self._save()
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
            for task in self._tasks:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
            self._tasks.clear()
            problem = self._write_down(written)
            if problem is not None:
                self._begin_tasks()
        if problem is not None:
            self._turn.release()
        return problem

    def _write_down(self, written: Callable[[], None]) -> str | None:
        """Without a pause, for that moment's sake."""
        try:
            for file in self._saved:
                file.write(file.snapshot())
        except OSError as exc:
            return f"the counters cannot be written: {exc}"
        written()
        self._standings.journal.close()
        return None

    async def resume(self) -> None:
        """The other process has ended without serving: goes on from what it has journalled. Raises OSError."""
        await self._standings.load()
        self._served.serve(self._disk.table, ())
        self._begin_tasks()
        self._turn.release()

    def _begin_tasks(self) -> None:
        self._tasks.append(asyncio.create_task(self._save_for_ever()))
        if not self._store.alone:
            self._tasks.append(asyncio.create_task(self._follower.run()))

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
        served = () if self._store.alone else self.served.movables
        return frozenset(unit for unit in served if not self.replica.is_confirmed(unit))

    def movable_of(self, name: str) -> Movable | None:
        """What moves when a group or a route is named: for a route in a group, the group."""
        route = next((route for route in self.served.routes if route.id == name), None)
        return self.served.movables.get(name) or (route.movable if route else None)

    async def row(self, units: Sequence[str]) -> dict[str, Any]:
        """What this gateway has counted of movables, for another gateway's question. Raises KeyError."""
        await self.refresh()
        return own_row(self.served, units, self.standings, self._stats, self._policy.examples)

    async def evidence(self, name: str) -> tuple[Evidence, Counted]:
        """What all gateways know of a movable that is served, and by which counters. Raises KeyError."""
        counted = await self._counts.of([name])
        return self._evidence(name, counted), counted

    def _evidence(self, name: str, counted: Counted) -> Evidence:
        standing = counted.standing(name, self.standings[name])
        known = self._policy.by(counted).evidence(self.served, name, standing)
        if not counted.problems:
            self._policy.keep_look(name, counted)
        return known

    def standing(self, unit: str) -> Standing | None:
        """Where a movable stands; None: it is not served."""
        return self.standings[unit] if unit in self.served.movables else None

    async def seen(self, unit: str) -> CountsSeen | None:
        """What the gate knows of a movable since its last move; None: not all gateways answer. Raises KeyError."""
        known, counted = await self.evidence(unit)
        assert known.gate is not None  # every movable that is served has it
        step = counted.stats.steps.get(unit)
        before = total(Counts(*row) for row in step.before.values()) if step else Counts()
        return None if counted.problems else CountsSeen(known.gate, before)

    async def roll_back(
        self, unit: str, who: str, why: str, evidence: Mapping[str, Any], judged: Standing | None = None
    ) -> bool:
        """What a guard does at an alarm; False: it could not, and may try again.

        With other gateways only who holds the lease does it, and if the group still stands as it was `judged`.
        """
        if self._store.alone:
            await self.rollback([unit], who=f"automatic, for {who}", why=why, automatic=evidence)
            return True
        record = digest((judged or self.standings[unit]).record)
        return await self.automatic(unit, who, why, evidence, record) or await self._ask_driver(
            {"unit": unit, "who": who, "why": why, "evidence": dict(evidence), "record": record}
        )

    async def automatic(self, unit: str, who: str, why: str, evidence: Mapping[str, Any], record: str) -> bool:
        """Rolls back if this gateway holds the lease and the movable has the record with this digest."""
        who = f"automatic, for {who}"
        name = await self._decided_rollback(unit, who, why, record)
        if name is not None:
            await self.rollback([unit], who=who, why=why, automatic=evidence, passed_on={unit: name})
        return name is not None

    async def _decided_rollback(self, unit: str, who: str, why: str, judged: str) -> RollbackName | None:
        """The name of a rollback that the store has taken from the holder of the lease."""
        try:
            driver = await self._store.lease()
            if driver is None:
                return None
            async with self._turn:
                found = await self.replica.agreed(unit)
                if digest(found.record) != judged:
                    return None
                here, name = self.standings[unit], mint(found.record, self.replica.run)
                record = rollback(found.record, name, Hold(self._clock(), who, why))
                entry = self._policy.told(JournalEvent.ROLLBACK, self._disk.table, _back(unit, here, why), who, record)
                return name if await self.replica.decide(found, entry, driver) else None
        except (StoreAway, NotAgreed, RecordInvalid) as exc:
            log.warning("%s is not rolled back automatically: %s", unit, exc)
            return None

    def log(self, limit: int = 100, unit: str | None = None) -> list[JournalEntry]:
        """The latest entries of the journal, newest last."""
        return self._standings.log(limit, unit)

    async def diff(self) -> Diff:
        """The file that is on the disk now, compared with what is served."""
        try:
            text, file = await self._disk.read()
        except RoutesInvalid as exc:
            return Diff(self.served.digest, None, tuple(map(str, exc.faults)), unread=True)
        return compare(self.served, file, text != self._disk.text, self._standings.reason)

    async def services(self) -> list[ServiceReadiness]:
        """Every service of the served table, asked now, all at once."""
        return await asyncio.gather(*map(self._policy.probe, self.served.services.values()))

    async def flip(
        self, name: str, to: Position, *, who: str, why: str = "", force: bool = False, dry_run: bool = False
    ) -> MoveResult:
        """Moves a movable if the move rules and its preflight allow it. Raises KeyError if it is not served."""
        wish = Move(name, position_of(self.served.movables[name]), to)
        unreachable = await self._policy.unreachable(self._disk.table, [wish])
        async with self._turn:
            found, problem = await self._agreed(name)
            move = Move(name, self.standings[name].position, to, why, force)
            here = self.standings[name]
            judged = await self._policy.judged(self._disk.table, move, here, self._counts, unreachable)
            if judged.done and move.direction is not Direction.NONE:
                judged = await self._shareable(judged, problem)
            if dry_run and self.problem and judged.done and move.direction is Direction.FORWARD:
                judged = judged.unrecorded(self.problem)
            if dry_run or not judged.done or move.direction is Direction.NONE:
                return replace(judged, digest=self.served.digest, dry_run=dry_run)
            result = await self._enact(judged, {name: found} if found else {}, JournalEvent.FLIP, who)
        return await self._reported(result) if result.done else result

    async def rollback(
        self,
        names: Sequence[str],
        *,
        who: str,
        why: str = "",
        automatic: Mapping[str, Any] | None = None,
        passed_on: Mapping[str, RollbackName] | None = None,
    ) -> tuple[MoveResult, ...]:
        """Moves movables to legacy at once and puts them on hold. Raises KeyError for an unknown movable.

        It is served before anything is awaited. `automatic`: a guard does it, by this evidence. `passed_on`: the names
        that another gateway gave to the same rollbacks.
        """
        file, given = self._disk.table, passed_on or {}
        called = {**self.rollback_names(names), **given}
        moves = [_back(unit, self.standings[unit], why) for unit in called]
        results = [self._policy.judge(file, move, self.standings[move.unit]) for move in moves]
        entries = [self._rolled_back(file, move, who, called[move.unit]) for move in moves]
        if automatic is not None:
            entries = [replace(entry, automatic=True, evidence=automatic) for entry in entries]
        self._served.serve(file, self._served.sealed(file, entries), owed=True)
        recording, telling = self._record_rollback(list(called)), self.replica.put_back(called)
        notes, told, late = await asyncio.gather(recording, telling, self._acknowledged())
        await self._report()
        notes += ((_not_told(told),) if told else ()) + late
        return tuple(replace(self._now(result, notes), rollback=called[result.unit]) for result in results)

    def rollback_names(self, names: Sequence[str]) -> dict[str, RollbackName]:
        """How rollbacks that are made next are called, here and at every other gateway."""
        return {name: mint(self._standings.record(name), self.replica.run) for name in dict.fromkeys(names)}

    def _rolled_back(self, file: RouteTable, move: Move, who: str, name: RollbackName) -> JournalEntry:
        """A second rollback of what is on hold is a hold of its own, and no news to people."""
        known = self._standings.record(move.unit)
        record = rollback(known, name, Hold(self._clock(), who, move.why))
        if record != known and (move.before != LEGACY or not held(known)):
            return self._policy.told(JournalEvent.ROLLBACK, file, move, who, record)
        return self._policy.told(JournalEvent.RECORD, file, replace(move, after=position(record)), who, record)

    async def release(
        self, name: str, *, who: str, why: str = "", seen: Sequence[RollbackName] | None = None
    ) -> MoveResult:
        """Ends the holds that somebody has seen, and moves nothing. Raises KeyError if the movable is not served.

        `seen` None: those that this gateway knows now. A rollback that comes later holds on.
        """
        names = holds(self.standings[name].record) if seen is None else seen
        async with self._turn:
            here, file = self.standings[name].position, self._disk.table
            result = MoveResult(Move(name, here, here, why), here)
            if self.standings[name].hold is None:
                return self._now(result, (f"{name} was not on hold",))
            problem = await self._standings.write()
            if problem:
                return self._now(result.unrecorded(problem))
            for _ in range(TRIES):
                found, away = await self._agreed(name)
                if found is None:
                    return self._now(result.unshared(away))
                record = release(found.record, names)
                entry = self._policy.told(JournalEvent.RELEASE, file, result.move, who, record)
                if await self._decided(found, entry):
                    return await self._carried_out(result, entry)
            return self._now(result.unshared("other gateways change it all the time"))

    async def adopt(self, name: str, *, who: str, why: str = "") -> MoveResult:
        """Decides that a movable about which nobody has decided anything stands as in the file. Raises KeyError."""
        async with self._turn:
            here, file = self.standings[name].position, self._disk.table
            result = MoveResult(Move(name, here, position_of(file.movables[name]), why), here)
            found, away = await self._agreed(name)
            if found is None:
                return self._now(result.unshared(away))
            if found.record.decision.seq or held(found.record):
                told = f"{name} has a state already ({self.standings[name].position}): flip it instead"
                return self._now(result.refused("decided", told))
            problem = await self._standings.write()
            if problem:
                return self._now(result.unrecorded(problem))
            entry = self._policy.adoption(file, name, who, why, found.record)
            if not await self._decided(found, entry):
                return self._now(result.refused(OVERTAKEN, f"somebody else has just moved {name}: look again"))
            return await self._carried_out(result, entry)

    async def forgotten(self, gateway: str, who: str, why: str) -> None:
        """Somebody says that another gateway has stopped for good."""
        entry = JournalEntry(self._clock(), JournalEvent.FORGOTTEN, gateway, who, why, None, LEGACY)
        async with self._turn:
            if problem := await self._standings.write([entry]):
                log.warning("%s is forgotten by %s, and the journal does not say so: %s", gateway, who, problem)

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

    async def _agreed(self, name: str) -> tuple[StoredRecord | None, str]:
        """The movable as the store and this gateway both know it; or None, and why not."""
        try:
            return await self.replica.agreed(name), ""
        except (StoreAway, NotAgreed, RecordInvalid) as exc:
            return None, str(exc)

    async def _shareable(self, judged: MoveResult, problem: str) -> MoveResult:
        """The move, unless the store or another gateway keeps it back. A move back asks no other gateway."""
        if problem:
            return judged.unshared(problem)
        try:
            forward = judged.move.direction is Direction.FORWARD
            behind = await self.replica.behind(judged.unit) if forward else ()
        except StoreAway as exc:
            return judged.unshared(str(exc))
        return judged.refused("members", "; ".join(behind)) if behind else judged

    async def _decided(self, found: StoredRecord, entry: JournalEntry) -> bool:
        try:
            return await self.replica.decide(found, entry)
        except StoreAway as exc:
            log.warning("the store may not have taken the change of %s: %s", entry.unit, exc)
            return False

    async def _carried_out(self, result: MoveResult, entry: JournalEntry) -> MoveResult:
        """Serves what is decided in the store already."""
        file = self._disk.table
        problem = await self._standings.write(entries := self._served.sealed(file, [entry]))
        try:
            self._served.serve(file, entries, owed=problem is not None)
        except NotServed as exc:
            await self._enactment.withdraw(entries)
            return self._now(result.refused("not_served", str(exc)))
        await self._report()
        return self._now(result, (f"kept in memory alone; a restart may forget it ({problem})",) if problem else ())

    async def _enact(
        self, judged: MoveResult, found: Mapping[str, StoredRecord], event: JournalEvent, who: str
    ) -> MoveResult:
        """Decides, journals, serves, writes the file; in this order, so that a crash loses no move that was served."""
        try:
            [result] = await self._enactment.enact(self._disk.table, [judged], found, event, who)
        except NotServed as exc:
            return self._now(judged.refused("not_served", str(exc)))
        if not result.done:
            return self._now(result)
        await self._report()
        notes = (f"served, and kept in memory only ({self.problem})",) if self.problem else ()
        written = await self._write_file([result.unit])
        return self._now(result, notes + written + await self._acknowledged())

    async def _report(self) -> None:
        with contextlib.suppress(StoreAway):  # the follower does it again
            await self.replica.report()

    async def _reported(self, result: MoveResult) -> MoveResult:
        """The move, and which gateways have not said in time that they serve it."""
        try:
            behind = await self.replica.until_reported(result.unit)
        except StoreAway as exc:
            behind = (f"nobody knows which other gateways serve it: {exc}",)
        return replace(result, warnings=(*result.warnings, *behind))

    def _followed(self) -> dict[str, Position]:
        movables = self._disk.table.movables
        return {unit: here.position for unit, here in self.standings.items() if unit in movables}

    async def _write_followed(self, before: Mapping[str, Position]) -> None:
        """What others have moved goes into the file, too, where it still says what was served before."""
        moved = [unit for unit, was in before.items() if self.standings[unit].position != was]
        try:
            file = (await self._disk.read())[1].movables if moved else {}
        except RoutesInvalid:
            return
        old = [unit for unit in moved if unit in file and position_of(file[unit]) == before[unit]]
        for note in await self._write_file(old) if old else ():
            log.info("%s", note)

    async def _record_rollback(self, units: Sequence[str]) -> tuple[str, ...]:
        """Journal and file, in turn; a disk that hangs does not keep the answer back for ever."""
        try:
            async with asyncio.timeout(RECORD_TIMEOUT_S), self._turn:
                problem = await self._standings.write()
                notes = (f"served and held in memory only, a restart may lose it ({problem})",) if problem else ()
                return notes + await self._write_file(units)
        except TimeoutError:
            return ("served and held; the disk has not answered yet, so a restart may lose it",)

    async def _write_file(self, units: Sequence[str]) -> tuple[str, ...]:
        """Writes the movables' standings into the file; a note if it cannot be written."""
        note = await self._disk.write({unit: self.standings[unit].position for unit in units})
        await self._disk.remember()
        return (note,) if note else ()

    def _now(self, result: MoveResult, notes: tuple[str, ...] = ()) -> MoveResult:
        """The result as things stand now."""
        standing = self.standings[result.unit]
        held, warnings = standing.hold is not None, result.warnings + notes
        return replace(result, after=standing.position, held=held, warnings=warnings, digest=self.served.digest)

    def _bad(self, exc: RoutesInvalid | NotServed) -> Reloaded:
        self.faults = tuple(map(str, exc.faults)) if isinstance(exc, RoutesInvalid) else (str(exc),)
        self.failed_reloads += 1
        log.error("the routes file is refused, the last good table stays in use: %s", "; ".join(self.faults))
        return Reloaded(self.served.digest, self.faults)

    async def _save_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._save_every_s)
            await self._look()
            await self._save()

    async def _look(self) -> None:
        """Takes every look of the gate that is due: it depends on the traffic, not on when somebody asks.

        Of several gateways who makes automatic moves does it for all.
        """
        units = [name for name in self.served.movables if name in self._stats.steps]
        try:
            if not units or await self._store.lease() is None:
                return
        except StoreAway:
            return
        counted = await self._counts.of(units)
        for name in units:
            if name in self.served.movables:
                self._evidence(name, counted)

    async def _save(self) -> None:
        """Writes what the journal is owed, and the saved files, as soon as this process may write the directory."""
        async with self._turn:
            if await self._standings.write():
                return
        for file in self._saved:
            try:
                await asyncio.to_thread(file.write, file.snapshot())
            except OSError as exc:
                log.warning("%s is not written: %s", file.path.name, exc)


def _back(unit: str, here: Standing, why: str) -> Move:
    return Move(unit, here.position, LEGACY, why, rollback=True)


def _not_told(problem: str) -> str:
    return f"rolled back here; the other gateways follow when this one sees the store again ({problem})"
