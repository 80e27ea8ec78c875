"""Drives plans: the only part that acts by itself. One tick a second, and only with the lease of the store.

Several gateways: one drives, and any of them takes over, because where a plan stands is in the record of its group and
the time that was spent is counted by all of them.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, Protocol

from strangler_gateway.cluster.record import PlanState
from strangler_gateway.cluster.record_json import digest
from strangler_gateway.cluster.store import StoreAway
from strangler_gateway.evidence.snapshot import Snapshot
from strangler_gateway.migration.gate.sentences import span
from strangler_gateway.migration.journal.journal_entry import Standing
from strangler_gateway.migration.move_result import MoveResult
from strangler_gateway.migration.states import PlanMove, RefusalCode
from strangler_gateway.plans.decide import (
    PlanDecision,
    PlanEvidence,
    Reason,
    back_refused,
    decide,
    position_of,
    waits,
)
from strangler_gateway.plans.evidence import told
from strangler_gateway.plans.notices import Notice, NoticeEvent
from strangler_gateway.plans.standings import PlanStandings, ServedStandings
from strangler_gateway.table.plan_rules import PlanRules, PlanStep
from strangler_gateway.table.position import Position
from strangler_gateway.table.routes import MigrationState

log = logging.getLogger(__name__)

TICK_S = 1.0
LOOK_EVERY_S = 5.0
"""How often the evidence of one movable is read, and a refused step is tried again."""
LAST_S = 5.0
"""How long a move that has begun may still take when the process ends."""
WHO = "plan"
_SERVING = (MigrationState.CANARY, MigrationState.EXTRACTED)
_PASSING: frozenset[RefusalCode] = frozenset({"counters", "members", "overtaken", "store", "wait", "journal"})
"""Refusals that end by themselves."""


class DrivenMigration(ServedStandings, Protocol):
    """What a driver needs of the controller of moves."""

    async def lease(self) -> str | None:
        """The session that makes automatic moves; None: another gateway has it. Raises StoreAway."""
        ...

    async def evidence(self, name: str) -> Snapshot:
        """What all gateways know of a movable now. Raises KeyError."""
        ...

    async def flip(
        self, name: str, to: Position, *, who: str, why: str = "", plan: PlanMove | None = None
    ) -> MoveResult:
        """Moves a movable if the move rules and its preflight allow it."""
        ...

    async def plan(
        self, name: str, change: Callable[[PlanState], PlanState], *, who: str, why: str, plan: PlanMove | None = None
    ) -> MoveResult:
        """Decides a change of how far the plan is."""
        ...

    async def roll_back(
        self, unit: str, who: str, why: str, evidence: Mapping[str, Any], judged: Standing | None = None
    ) -> bool:
        """At once; journalled as automatic. False: not now."""
        ...


class PlanDriver:
    """`tell`: never waits. `look_every_s`: see LOOK_EVERY_S."""

    def __init__(
        self,
        migration: DrivenMigration,
        here: PlanStandings,
        tell: Callable[[PlanRules, Notice], None],
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._migration, self._here, self._tell = migration, here, tell
        self._look_every_s = look_every_s
        self.refused: dict[str, str] = {}
        """By movable: why its next step was refused, the last time that it was tried."""
        self.problem: str | None = None
        """Why nothing moves by itself."""
        self._looked: dict[str, float] = {}
        self._told: dict[str, frozenset[str]] = {}
        """By movable, for what a person was asked."""
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._seconds = 0.0

    async def run(self) -> None:
        """Until it is cancelled."""
        try:
            while True:
                await asyncio.sleep(TICK_S)
                try:
                    await self.tick()
                except Exception:
                    log.exception("a tick of the plans has failed; the next one follows")
        finally:
            await self._finish()

    async def _finish(self) -> None:
        """A move that has begun ends whole, if it can."""
        if tasks := list(self._tasks.values()):
            _, late = await asyncio.wait(tasks, timeout=LAST_S)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    async def tick(self) -> None:
        """Counts the time, and begins what is due; no movable waits for another one."""
        seconds = self._here.tick()
        self._seconds += seconds
        plans = self._here.plans()
        lease = await self._lease() if plans else None
        if lease is None:
            return
        for unit, rules in plans.items():
            if unit not in self._tasks and self._is_due(unit, rules):
                self._looked[unit] = self._seconds
                self._begin(unit, self._consider(unit, rules, lease))

    async def settled(self) -> None:
        """Waits until everything that a tick has begun is done."""
        while self._tasks:
            await asyncio.wait(self._tasks.values())

    def _begin(self, unit: str, work: Coroutine[Any, Any, None]) -> None:
        task = self._tasks[unit] = asyncio.create_task(work)
        task.add_done_callback(lambda done: self._end(unit, done))

    def _end(self, unit: str, done: asyncio.Task[None]) -> None:
        del self._tasks[unit]
        if not done.cancelled() and (failed := done.exception()) is not None:
            log.error("the plan of %s has failed; it is tried again", unit, exc_info=failed)

    async def _lease(self) -> str | None:
        try:
            lease = await self._migration.lease()
        except StoreAway as exc:
            self.problem = f"nothing moves by itself: {exc}"
            return None
        self.problem = None if lease is not None else "another gateway makes the moves"
        return lease

    def _is_due(self, unit: str, rules: PlanRules) -> bool:
        """Whether the evidence could change anything now."""
        if self._seconds - self._looked.get(unit, -self._look_every_s) < self._look_every_s:
            return False
        here = self._here.standing(unit)
        found = waits(rules, here, self._here.moment)
        return here.position.state in _SERVING or all(one.code in (*_BY_HAND, "limit") for one in found)

    async def _consider(self, unit: str, rules: PlanRules, lease: str) -> None:
        standing = self._migration.standings[unit]
        seen = await self._migration.evidence(unit)
        here, known = self._here.standing(unit), told(seen)
        found = decide(rules, here, self._here.moment, known)
        if found.breach is not None:
            await self._breached(unit, rules, standing, found.breach, seen.to_json(), lease)
        elif found.advances is not None and known is not None:
            await self._advance(unit, rules, standing, found.advances, known, lease)
        else:
            self.refused.pop(unit, None)
            self._ask(unit, rules, here.position, _needed(found))

    async def _advance(
        self, unit: str, rules: PlanRules, standing: Standing, step: PlanStep, known: PlanEvidence, lease: str
    ) -> None:
        number, here = rules.steps.index(step) + 1, self._here.standing(unit)
        why = f"step {number} of {len(rules.steps)}: {step}, after {span(here.spent_s)} in {standing.position}"
        why += f"; {known.says}" if known.says else ""
        why += f"; asked for by {here.asked}" if here.asked else ""
        why += f"; approved by {here.approved}" if here.approved else ""
        move = PlanMove(digest(standing.record), lease, number)
        result = await self._migration.flip(unit, position_of(step), who=WHO, why=why, plan=move)
        if result.done:
            self.refused.pop(unit, None)
            self._told.pop(unit, None)
            self._say("advanced", unit, rules, result.after, why, result.evidence)
            return
        self.refused[unit] = result.reason
        if any(one.code not in _PASSING for one in result.refusals):
            self._ask(unit, rules, standing.position, [Reason("refused", result.reason, person=True)])

    async def _breached(
        self, unit: str, rules: PlanRules, standing: Standing, says: str, evidence: Mapping[str, Any], lease: str
    ) -> None:
        if rules.on_breach == "rollback":
            await self.go_back(unit, rules, standing, says, evidence)
        else:
            await self.hold_back(unit, rules, standing, says, lease)

    async def go_back(
        self, unit: str, rules: PlanRules, standing: Standing, says: str, evidence: Mapping[str, Any]
    ) -> None:
        """Rolls back, unless that was done too often: then it asks for a person."""
        refused = back_refused(rules, self._here.standing(unit))
        if refused is not None:
            reason = replace(refused, says=f"{says}; it is not rolled back by itself: {refused.says}")
            self._ask(unit, rules, standing.position, [reason])
        elif await self._migration.roll_back(unit, WHO, says, evidence, standing):
            self._say("rolled_back", unit, rules, self._migration.standings[unit].position, says, evidence)

    async def hold_back(self, unit: str, rules: PlanRules, standing: Standing, says: str, lease: str) -> None:
        """Pauses the plan; the movable stays."""
        if self._here.standing(unit).paused is not None:
            return
        move = PlanMove(digest(standing.record), lease)
        by = f"{WHO} ({says})"
        result = await self._migration.plan(
            unit, lambda plan: replace(plan, paused=True, by=by), who=WHO, why=f"paused: {says}", plan=move
        )
        if result.done:
            self._say("held_back", unit, rules, standing.position, says)

    def _ask(self, unit: str, rules: PlanRules, position: Position, needed: list[Reason]) -> None:
        """Asks for a person, once for each thing."""
        before = self._told.get(unit, frozenset())
        self._told[unit] = frozenset(one.code for one in needed)
        for one in needed:
            if one.code not in before:
                self._say("needs_person", unit, rules, position, one.says)

    def _say(
        self,
        event: NoticeEvent,
        unit: str,
        rules: PlanRules,
        position: Position,
        says: str,
        evidence: Mapping[str, Any] | None = None,
    ) -> None:
        log.info("plan of %s: %s: %s", unit, event.replace("_", " "), says)
        self._tell(rules, Notice(event, unit, position, says, self._here.moment.now, evidence))


_BY_HAND = ("approval", "asked")
"""What a person can give at any moment; so it is worth knowing whether all else is well."""


def _needed(found: PlanDecision) -> list[Reason]:
    """For what a person is needed now: what is paused or held is known to people already."""
    only_by_hand = all(one.code in _BY_HAND for one in found.reasons)
    wanted = {"evidence", "limit", *(_BY_HAND if only_by_hand else ())}
    return [one for one in found.reasons if one.person and one.code in wanted]
