"""The controller of moves: judges, journals, serves, writes the routes file; one move at a time."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from strangler_gateway.config.faults import RoutesInvalid
from strangler_gateway.migration.counters import counters_file
from strangler_gateway.migration.diff import Diff, compare
from strangler_gateway.migration.file_sync import FileSync
from strangler_gateway.migration.gate.evidence import GateEvidence
from strangler_gateway.migration.gate.pool import Counts, total
from strangler_gateway.migration.guard import Guards
from strangler_gateway.migration.journal.journal import Journal
from strangler_gateway.migration.journal.journal_entry import JournalEntry, JournalEvent, Standing
from strangler_gateway.migration.journal.standings import Standings
from strangler_gateway.migration.move_policy import MovePolicy
from strangler_gateway.migration.move_result import MoveResult, Reloaded
from strangler_gateway.migration.move_rules import Evidence
from strangler_gateway.migration.preflight import BrokerProbe, Examples, Probe
from strangler_gateway.migration.readiness import ServiceReadiness, ask
from strangler_gateway.migration.routes_file.on_disk import RoutesOnDisk
from strangler_gateway.migration.saved_file import SavedFile
from strangler_gateway.migration.served_table import NotServed, ServedTable
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
    ) -> None:
        """`adopt` swaps the whole served table, or raises and leaves the old one; `clock` tells Unix seconds.

        `acknowledged` returns when every process serves it, with a note for each that did not in time. `refresh`
        returns when `stats` has what every process has counted. `saved`: what else is kept in the state directory.
        """
        self.state_dir = state_dir
        self.faults: tuple[str, ...] = ()
        """Of the file as it was last read; the last good table is served meanwhile."""
        self.failed_reloads = 0
        self._stats = stats
        self.refresh, self._acknowledged = refresh, acknowledged
        self._policy = MovePolicy(stats, probe, broker, examples, clock, refresh)
        self._standings = Standings(journal or Journal(state_dir))
        self._served = ServedTable(self._standings, self._policy, adopt)
        self._disk = RoutesOnDisk(
            routes_path, state_dir / "routes-seen.json", os.environ if environ is None else environ
        )
        self._sync = FileSync(self._served, self._policy, self._disk)
        self._saved = (counters_file(state_dir / "counters.json", stats), *saved)
        self.guards = Guards(self, clock)
        self._turn = asyncio.Lock()
        self._save_every_s = save_every_s
        self._saver: asyncio.Task[None] | None = None

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
        async with self._turn:
            await self._sync.apply(text, file)
        self._saver = asyncio.create_task(self._save_for_ever())
        return self.served

    async def aclose(self) -> None:
        """Ends the guards, writes the saved files once more, and releases the state directory."""
        await self.guards.aclose()
        if self._saver is not None:
            self._saver.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._saver
            await self._save()
        await asyncio.to_thread(self._standings.journal.close)

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

    def movable_of(self, name: str) -> Movable | None:
        """What moves when a group or a route is named: for a route in a group, the group."""
        route = next((route for route in self.served.routes if route.id == name), None)
        return self.served.movables.get(name) or (route.movable if route else None)

    def evidence(self, name: str) -> Evidence:
        """What is known of a movable that is served. Raises KeyError if it is not served."""
        return self._policy.evidence(self.served, name, self.standings[name])

    def standing(self, unit: str) -> Standing | None:
        """Where a movable stands; None: it is not served."""
        return self.standings[unit] if unit in self.served.movables else None

    def seen(self, unit: str) -> tuple[GateEvidence, Counts]:
        """What the gate knows of a movable since its last move, and all that was counted before. Raises KeyError."""
        step, known = self._stats.steps.get(unit), self.evidence(unit).gate
        assert known is not None  # every movable that is served has it
        return known, total(Counts(*row) for row in step.before.values()) if step else Counts()

    async def roll_back(self, unit: str, who: str, why: str, evidence: Mapping[str, Any]) -> None:
        """What a guard does at an alarm."""
        await self.rollback([unit], who=f"automatic, for {who}", why=why, automatic=evidence)

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
            move = Move(name, self.standings[name].position, to, why, force)
            judged = self._policy.judge(self._disk.table, move, self.standings[name], unreachable)
            if dry_run and self.problem and move.direction is Direction.FORWARD:
                judged = judged.unrecorded(self.problem)
            if dry_run or not judged.done or move.direction is Direction.NONE:
                return replace(judged, digest=self.served.digest, dry_run=dry_run)
            return await self._enact(judged, who)

    async def rollback(
        self, names: Sequence[str], *, who: str, why: str = "", automatic: Mapping[str, Any] | None = None
    ) -> tuple[MoveResult, ...]:
        """Moves movables to legacy at once and puts them on hold. Raises KeyError for an unknown movable.

        It is served before anything is awaited. `automatic`: a guard does it, by this evidence.
        """
        file = self._disk.table
        moves = [Move(n, self.standings[n].position, LEGACY, why, rollback=True) for n in dict.fromkeys(names)]
        results = [self._policy.judge(file, move, self.standings[move.unit]) for move in moves]
        fresh = [move for move in moves if move.before != LEGACY or self.standings[move.unit].hold is None]
        entries = [self._policy.entry(JournalEvent.ROLLBACK, file, move, who) for move in fresh]
        if automatic is not None:
            entries = [replace(entry, automatic=True, evidence=automatic) for entry in entries]
        self._served.serve(file, self._served.sealed(file, entries), owed=True)
        recording = self._record_rollback([move.unit for move in moves])
        notes, late = await asyncio.gather(recording, self._acknowledged())
        return tuple(self._now(result, notes + late) for result in results)

    async def release(self, name: str, *, who: str, why: str = "") -> MoveResult:
        """Ends a hold and moves nothing. Raises KeyError if the movable is not served."""
        async with self._turn:
            here, file = self.standings[name].position, self._disk.table
            result = MoveResult(Move(name, here, here, why), here)
            if self.standings[name].hold is None:
                return self._now(result, (f"{name} was not on hold",))
            entry = self._policy.entry(JournalEvent.RELEASE, file, result.move, who)
            entries = self._served.sealed(file, [entry])
            problem = await self._standings.write(entries)
            if problem:
                return self._now(result.unrecorded(problem))
            self._standings.apply(entries)
            return self._now(result)

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

    async def _enact(self, judged: MoveResult, who: str) -> MoveResult:
        """Journals, serves, writes the file; in this order, so that a crash loses no move that was served."""
        try:
            [result] = await self._served.enact(self._disk.table, [judged], JournalEvent.FLIP, who)
        except NotServed as exc:
            return self._now(judged.refused("not_served", str(exc)))
        if not result.done:
            return self._now(result)
        notes = (f"served, and kept in memory only ({self.problem})",) if self.problem else ()
        written = await self._write_file([result.unit])
        return self._now(result, notes + written + await self._acknowledged())

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
            self._look()
            await self._save()

    def _look(self) -> None:
        """Takes every look of the gate that is due: it depends on the traffic, not on when somebody asks."""
        for name in self.served.movables:
            if name in self._stats.steps:
                self._policy.evidence(self.served, name, self.standings[name])

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
