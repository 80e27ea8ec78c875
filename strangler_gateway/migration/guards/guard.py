"""Guards: each watches one movable for a while after a move, and rolls it back by itself at the first alarm.

It runs in the gateway, so it goes on when the command that asked for it ends. It ends with the process.
"""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

from strangler_gateway.migration.gate.alarm import BreakCard, expected_failures, sentence, worse
from strangler_gateway.migration.gate.evidence import GateEvidence
from strangler_gateway.migration.gate.pool import Counts, total
from strangler_gateway.migration.gate.snapshot import snapshot
from strangler_gateway.migration.journal.journal_entry import Standing
from strangler_gateway.table.position import Position

log = logging.getLogger(__name__)

LOOK_EVERY_S = 1.0
NOTHING = Counts()


class GuardState(StrEnum):
    """How far a guard is."""

    WATCHING = "watching"
    OVER = "over"
    """The time is up, without an alarm."""
    ROLLED_BACK = "rolled_back"
    MOVED = "moved"
    """Somebody else has moved the movable."""
    FAILED = "failed"
    """Nobody watches any more; the log says why."""


class CountsSeen(NamedTuple):
    """What was counted of a movable: since its last move, and everything before."""

    known: GateEvidence
    before: Counts


class GuardedMigration(Protocol):
    """What a guard needs."""

    def standing(self, unit: str) -> Standing | None:
        """None: it is not served any more."""
        ...

    def seen(self, unit: str) -> Awaitable[CountsSeen | None]:
        """Since its last move, and everything before; None: not every gateway answers."""
        ...

    def roll_back(
        self, unit: str, who: str, why: str, evidence: Mapping[str, Any], judged: Standing | None = None
    ) -> Awaitable[bool]:
        """At once; journalled as automatic. False: not now (the store is away, another gateway has the lease)."""
        ...


@dataclass(slots=True)
class Guard:
    """`until` in Unix seconds; `alarm`: what was seen when it rolled back."""

    unit: str
    until: float
    who: str
    standing: Standing
    state: GuardState = GuardState.WATCHING
    alarm: str | None = None
    card: BreakCard = field(default_factory=BreakCard)
    counted: Counts | None = None
    """At the last look; None: there was none, because not every gateway answered."""

    def look(self, known: GateEvidence, before: Counts, seconds: float) -> bool:
        """Whether to go back."""
        now = total(known.requests.values())
        last, self.counted = self.counted or now, now
        tick = Counts(*(max(new - old, 0) for new, old in zip(now, last, strict=True)))
        broken = self.card.add(tick, expected_failures(before, now), seconds)
        return broken or worse(known, before)


class Guards:
    """At most one guard of each movable; the last one is remembered."""

    def __init__(
        self,
        migration: GuardedMigration,
        clock: Callable[[], float] = time.time,
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._migration, self._clock, self._every_s = migration, clock, look_every_s
        self._guards: dict[str, Guard] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def start(self, unit: str, seconds: float, who: str) -> Guard:
        """Watches from now on, instead of an earlier guard. Raises KeyError if the movable is not served."""
        standing = self._migration.standing(unit)
        if standing is None:
            raise KeyError(unit)
        guard = self._guards[unit] = Guard(unit, self._clock() + seconds, who, standing)
        if seen := await self._migration.seen(unit):
            guard.counted = total(seen.known.requests.values())
        if unit in self._tasks:
            self._tasks.pop(unit).cancel()
        self._tasks[unit] = asyncio.create_task(self._run(guard, seconds))
        return guard

    def of(self, unit: str) -> Guard | None:
        """The guard of a movable, also one that has ended."""
        return self._guards.get(unit)

    def give(self) -> list[dict[str, object]]:
        """Ends all guards for another process, which watches on: what its `take` needs, as JSON."""
        given = [guard for guard in self._guards.values() if guard.state is GuardState.WATCHING]
        for guard in given:
            self._tasks.pop(guard.unit).cancel()
        return [{"unit": guard.unit, "until": guard.until, "who": guard.who} for guard in given]

    async def take(self, given: Sequence[Mapping[str, Any]]) -> None:
        """Watches on what another process has given, as far as it is served here."""
        for guard in given:
            unit, left = str(guard["unit"]), float(guard["until"]) - self._clock()
            if left > 0 and self._migration.standing(unit) is not None:
                await self.start(unit, left, str(guard["who"]))

    async def aclose(self) -> None:
        """Ends all guards; what they watched stays where it is."""
        for unit, task in self._tasks.items():
            if task.cancel():
                log.warning("the guard of %s ends with this process: nobody watches it any more", unit)
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    async def _run(self, guard: Guard, seconds: float) -> None:
        try:
            guard.state = await self._watch(guard, seconds)
        except Exception:
            guard.state = GuardState.FAILED
            log.exception("the guard of %s has failed: nobody watches it any more", guard.unit)

    async def _watch(self, guard: Guard, seconds: float) -> GuardState:
        loop = asyncio.get_running_loop()
        end = looked = loop.time()
        end += seconds
        while True:
            await asyncio.sleep(min(self._every_s, max(end - loop.time(), 0.0)))
            standing = self._migration.standing(guard.unit)
            if standing is None or _move(standing) != _move(guard.standing):
                return GuardState.MOVED
            seen, now = await self._migration.seen(guard.unit), loop.time()
            if seen is not None:
                alarmed = guard.look(*seen, max(now - looked, LOOK_EVERY_S)) or guard.alarm is not None
                if alarmed and await self._goes_back(guard, seen.known):
                    return GuardState.ROLLED_BACK
                looked = now
            if now >= end:
                return GuardState.OVER if guard.alarm is None else GuardState.FAILED

    async def _goes_back(self, guard: Guard, known: GateEvidence) -> bool:
        """An alarm stays one until the movable is rolled back, or the guard's time is up."""
        guard.alarm = guard.alarm or f"{sentence(known)} within {known.now - known.since:.0f} s of the move"
        log.warning("%s is rolled back automatically: %s", guard.unit, guard.alarm)
        evidence = snapshot(guard.unit, known).to_json()
        return await self._migration.roll_back(guard.unit, guard.who, guard.alarm, evidence, guard.standing)


def _move(standing: Standing) -> tuple[float, Position]:
    """Tells one move from another."""
    return standing.since, standing.position
