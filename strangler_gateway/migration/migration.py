"""Moves units through the migration states: judges, records, serves, writes the routes file; one move at a time."""

import asyncio
import contextlib
import logging
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from strangler_gateway.migration.counters import Countable, Counters
from strangler_gateway.migration.diff import Diff, compare
from strangler_gateway.migration.file_sync import Uptake
from strangler_gateway.migration.journal.journal import Journal
from strangler_gateway.migration.journal.journal_entry import Entry, Event, Standing, iso
from strangler_gateway.migration.journal.standings import Ledger, Store
from strangler_gateway.migration.move_policy import Judge
from strangler_gateway.migration.move_result import Outcome, Reloaded, unrecorded
from strangler_gateway.migration.move_rules import Refusal
from strangler_gateway.migration.preflight import (
    BrokerProbe,
    Counts,
    Examples,
    Probe,
    accepts_connection,
    no_broker,
    no_examples,
)
from strangler_gateway.migration.routes_file.applied_wishes import LastSeen
from strangler_gateway.migration.routes_file.on_disk import RoutesOnDisk
from strangler_gateway.migration.served_table import Board, NotServed
from strangler_gateway.migration.states import LEGACY, Direction, Move, Position, position_of
from strangler_gateway.table.faults import RoutesInvalid
from strangler_gateway.table.routes import Movable, RouteTable

log = logging.getLogger(__name__)

RECORD_TIMEOUT_S = 10.0
"""How long a rollback, which is served by then, waits for the disk before it answers."""


class Meters(Counts, Countable, Protocol):
    """The gateway's counters, as far as they are needed here."""


class Migration:
    """The controller of one gateway process. A refusal is an Outcome, not an exception.

    The ledger's standings decide what is served; the file only voices wishes. A rollback never waits for its turn, so
    whatever has awaited looks again at the standings before it goes on.
    """

    def __init__(
        self,
        routes_path: Path,
        state_dir: Path,
        *,
        stats: Meters,
        adopt: Callable[[RouteTable], None],
        probe: Probe = accepts_connection,
        broker: BrokerProbe = no_broker,
        examples: Examples = no_examples,
        environ: Mapping[str, str] | None = None,
        clock: Callable[[], float] = time.time,
        store: Store | None = None,
        save_every_s: float = 5.0,
    ) -> None:
        """`adopt` swaps the served table, whole, or raises and leaves the old one; `clock` tells Unix seconds."""
        self.state_dir = state_dir
        self.faults: tuple[str, ...] = ()
        """Of the file as it was last read; the last good table is served meanwhile."""
        self.failed_reloads = 0
        self._judge = Judge(stats, probe, broker, examples, clock)
        self._ledger = Ledger(store or Journal(state_dir))
        self._board = Board(self._ledger, adopt)
        seen = LastSeen(state_dir / "routes-seen.json")
        self._disk = RoutesOnDisk(routes_path, seen, os.environ if environ is None else environ)
        self._uptake = Uptake(self._board, self._judge, self._disk)
        self._counters = Counters(state_dir / "counters.json", stats)
        self._turn = asyncio.Lock()
        self._save_every_s = save_every_s
        self._saver: asyncio.Task[None] | None = None

    async def start(self) -> RouteTable:
        """The first table, for which `adopt` is not called. Raises RoutesInvalid; a state directory may be away."""
        text, file = await self._disk.read()
        await self._ledger.load()
        await self._disk.open()
        unread = await asyncio.to_thread(self._counters.restore)
        for reason in filter(None, (self.problem, unread)):
            log.warning("state directory %s: %s", self.state_dir, reason)
        async with self._turn:
            await self._uptake.take(text, file)
        self._saver = asyncio.create_task(self._save_for_ever())
        return self.served

    async def aclose(self) -> None:
        """Writes the counters once more and gives the state directory back."""
        if self._saver is not None:
            self._saver.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._saver
            await self._save()
        await asyncio.to_thread(self._ledger.store.close)

    @property
    def served(self) -> RouteTable:
        """The table that requests are answered by."""
        return self._board.served

    @property
    def swaps(self) -> int:
        """How many tables have been served so far."""
        return self._board.swaps

    @property
    def standings(self) -> Mapping[str, Standing]:
        """Where each unit stands; also of units that the file no longer has."""
        return self._ledger.standings

    @property
    def problem(self) -> str | None:
        """Why flips are off: what keeps the state directory from being written."""
        return self._ledger.problem

    def unit_of(self, name: str) -> Movable | None:
        """What moves when a group or a route is named: of a route in a group, the group."""
        route = next((route for route in self.served.routes if route.id == name), None)
        return self.served.movables.get(name) or (route.movable if route else None)

    def log(self, limit: int = 100, unit: str | None = None) -> list[Entry]:
        """The latest entries of the journal, newest last."""
        return self._ledger.log(limit, unit)

    async def diff(self) -> Diff:
        """The file as it lies on the disk now, against what is served."""
        try:
            text, file = await self._disk.read()
        except RoutesInvalid as exc:
            return Diff(self.served.digest, None, tuple(map(str, exc.faults)), unread=True)
        return compare(self.served, file, text != self._disk.text, self._reason)

    async def flip(
        self, name: str, to: Position, *, who: str, why: str = "", force: bool = False, dry_run: bool = False
    ) -> Outcome:
        """Moves a unit, if its edges and its preflight allow it. Raises KeyError for a unit that is not served."""
        away = await self._judge.away(self._disk.table, [Move(name, position_of(self.served.movables[name]), to)])
        async with self._turn:
            move = Move(name, self.standings[name].position, to, why, force)
            outcome = self._judge.outcome(self._disk.table, move, self.standings[name], away)
            if dry_run and self.problem and move.direction is Direction.FORWARD:
                outcome = replace(outcome, after=move.before, refusals=(*outcome.refusals, unrecorded(self.problem)))
            if dry_run or not outcome.done or move.direction is Direction.NONE:
                return replace(outcome, digest=self.served.digest, dry_run=dry_run)
            return await self._enact(move, outcome, who)

    async def rollback(self, names: Sequence[str], *, who: str, why: str = "") -> tuple[Outcome, ...]:
        """Legacy at once, and a hold; waits for nothing until that is served. Raises KeyError for a strange unit."""
        file = self._disk.table
        moves = [Move(n, self.standings[n].position, LEGACY, why, rollback=True) for n in dict.fromkeys(names)]
        outcomes = [self._judge.outcome(file, move, self.standings[move.unit]) for move in moves]
        fresh = [move for move in moves if move.before != LEGACY or self.standings[move.unit].hold is None]
        entries = [self._judge.entry(Event.ROLLBACK, file, move, who) for move in fresh]
        self._board.serve(file, self._board.sealed(file, entries), owed=True)
        notes = await self._record_rollback([move.unit for move in moves])
        return tuple(self._now(outcome, notes) for outcome in outcomes)

    async def release(self, name: str, *, who: str, why: str = "") -> Outcome:
        """Ends a hold; moves nothing. Raises KeyError for a unit that is not served."""
        async with self._turn:
            here = self.standings[name].position
            outcome = Outcome(name, here, here)
            if self.standings[name].hold is None:
                return self._now(outcome, (f"{name} was not on hold",))
            entry = self._judge.entry(Event.RELEASE, self.served, Move(name, here, here, why), who)
            problem = await self._ledger.write([entry])
            if problem:
                return self._now(replace(outcome, refusals=(unrecorded(problem),)))
            self._ledger.stand([entry])
            return self._now(outcome)

    async def reload(self) -> Reloaded:
        """Takes up the file as it is now; a faulty one leaves the last good table serving."""
        async with self._turn:
            try:
                reloaded = await self._uptake.take(*await self._disk.read())
            except (RoutesInvalid, NotServed) as exc:
                return self._bad(exc)
            self.faults = ()
            log.info("the routes file is taken up, table %s serves", reloaded.digest)
            return reloaded

    async def _enact(self, move: Move, outcome: Outcome, who: str) -> Outcome:
        """Records, serves, writes the file; in this order, so that a crash loses no move that was served."""
        known = self.standings[move.unit]
        forced = [refusal.code for refusal in outcome.overridden]
        entry = self._judge.entry(Event.FLIP, self._disk.table, move, who, forced)
        entries = self._board.sealed(self._disk.table, [entry])
        problem = await self._ledger.write(entries)
        if self.standings[move.unit] is not known:
            return self._now(replace(outcome, refusals=(_overtaken(move),)))
        if problem and move.direction is Direction.FORWARD:
            return self._now(replace(outcome, refusals=(unrecorded(problem),)))
        try:
            self._board.serve(self._disk.table, entries, owed=problem is not None)
        except NotServed as exc:
            await self._board.withdraw(entries)
            return self._now(replace(outcome, refusals=(Refusal("not_served", str(exc)),)))
        notes = (f"served, and kept in memory alone ({problem})",) if problem else ()
        return self._now(outcome, notes + await self._write_file([move.unit]))

    async def _record_rollback(self, units: Sequence[str]) -> tuple[str, ...]:
        """Journal and file, in turn; a disk that hangs does not keep the answer back for ever."""
        try:
            async with asyncio.timeout(RECORD_TIMEOUT_S), self._turn:
                problem = await self._ledger.write()
                notes = (f"served and held in memory alone, a restart may forget it ({problem})",) if problem else ()
                return notes + await self._write_file(units)
        except TimeoutError:
            return ("served and held; the disk has not answered yet, so a restart may forget it",)

    async def _write_file(self, units: Sequence[str]) -> tuple[str, ...]:
        """The units' standings into the file; a note where it cannot be written."""
        note = await self._disk.write({unit: self.standings[unit].position for unit in units})
        await self._disk.remember()
        return (note,) if note else ()

    def _now(self, outcome: Outcome, notes: tuple[str, ...] = ()) -> Outcome:
        """The outcome as things stand now."""
        standing = self.standings[outcome.unit]
        held, warnings = standing.hold is not None, outcome.warnings + notes
        return replace(outcome, after=standing.position, held=held, warnings=warnings, digest=self.served.digest)

    def _reason(self, unit: str) -> str:
        """Why a unit stands elsewhere than the file says."""
        standing, refused = self.standings[unit], self._ledger.refused.get(unit)
        if refused is not None:
            return "; ".join(refused.reasons)
        if standing.hold is not None:
            return f"rolled back by {standing.hold.who} at {iso(standing.hold.since)} and on hold"
        return f"moved by {standing.who} at {iso(standing.since)}; the file was not written, or has changed since"

    def _bad(self, exc: RoutesInvalid | NotServed) -> Reloaded:
        self.faults = tuple(map(str, exc.faults)) if isinstance(exc, RoutesInvalid) else (str(exc),)
        self.failed_reloads += 1
        log.error("the routes file is not taken up, the last good table serves on: %s", "; ".join(self.faults))
        return Reloaded(self.served.digest, self.faults)

    async def _save_for_ever(self) -> None:
        while True:
            await asyncio.sleep(self._save_every_s)
            await self._save()

    async def _save(self) -> None:
        """What the journal is owed, and the counters: as soon as the state directory is this process's to write."""
        async with self._turn:
            if await self._ledger.write():
                return
        try:
            await asyncio.to_thread(self._counters.write, self._counters.snapshot())
        except OSError as exc:
            log.warning("the counters are not kept: %s", exc)


def _overtaken(move: Move) -> Refusal:
    return Refusal("overtaken", f"{move.unit} was rolled back meanwhile and is on hold")
