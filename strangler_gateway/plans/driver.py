"""Drives plans: the only part that acts by itself. One tick a second, and only with the lease of the store.

Several gateways: one drives, and any of them takes over, because where a plan stands is in the record of its group and
the time that was spent is counted by all of them.
"""

import asyncio
import logging
from collections.abc import Callable, Coroutine
from typing import Any

from strangler_gateway.cluster.record_json import digest
from strangler_gateway.cluster.store import StoreAway
from strangler_gateway.migration.gate.sentences import span
from strangler_gateway.migration.journal.journal_entry import Standing
from strangler_gateway.migration.states import PlanMove, RefusalCode
from strangler_gateway.plans.decide import (
    PlanDecision,
    PlanEvidence,
    Reason,
    decide,
    position_of,
    waits,
)
from strangler_gateway.plans.driven import WHO, DrivenMigration
from strangler_gateway.plans.evidence import told
from strangler_gateway.plans.going_back import GoingBack
from strangler_gateway.plans.notices import Notice
from strangler_gateway.plans.standings import PlanStandings
from strangler_gateway.plans.telling import Telling
from strangler_gateway.table.routes import MigrationState
from strangler_gateway.table.rules.plan import PlanRules, PlanStep

log = logging.getLogger(__name__)

TICK_S = 1.0
LOOK_EVERY_S = 5.0
"""How often the evidence of one movable is read, and a refused step is tried again."""
LAST_S = 5.0
"""How long a move that has begun may still take when the process ends."""
_SENTINEL = ""
"""In place of a movable: the look at all of them."""
_SERVING = (MigrationState.CANARY, MigrationState.EXTRACTED)
_PASSING: frozenset[RefusalCode] = frozenset({"counters", "members", "overtaken", "store", "wait", "journal"})
"""Refusals that end by themselves."""


class PlanDriver:
    """`tell`: never waits. `look_every_s`: see LOOK_EVERY_S."""

    def __init__(
        self,
        migration: DrivenMigration,
        here: PlanStandings,
        tell: Callable[[PlanRules, Notice], None],
        look_every_s: float = LOOK_EVERY_S,
    ) -> None:
        self._migration, self._here, self._telling = migration, here, Telling(here, tell)
        self._back = GoingBack(migration, here, self._telling)
        self._look_every_s = look_every_s
        self.refused: dict[str, str] = {}
        """By movable: why its next step was refused, the last time that it was tried."""
        self.problem: str | None = None
        """Why nothing moves by itself."""
        self._looked: dict[str, float] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._seconds = self._watched = 0.0

    def needed(self, unit: str) -> frozenset[str]:
        """What a person is asked for, as far as this gateway drives; codes of reasons."""
        return self._telling.needed(unit)

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
            self._migration.sentinel.begin_anew()
            return
        serving = [unit for unit in plans if self._serves(unit)]
        for unit in plans.keys() - serving:
            self._migration.sentinel.forget(unit)
        if _SENTINEL not in self._tasks and serving:
            watched, self._watched = self._seconds - self._watched, self._seconds
            self._begin(_SENTINEL, self._watch(watched, lease))
        for unit, rules in plans.items():
            if unit not in self._tasks and self._is_due(unit, rules):
                self._looked[unit] = self._seconds
                self._begin(unit, self._consider(unit, rules, lease))

    def _serves(self, unit: str) -> bool:
        """Whether users get its new side."""
        return self._migration.standings[unit].position.state in _SERVING

    async def _watch(self, seconds: float, lease: str) -> None:
        """Judges failures, and acts. `seconds`: since the last time."""
        judgements = await self._migration.sentinel.look(seconds)
        plans = self._here.plans()
        found = {unit: one for unit, one in judgements.items() if unit in plans}
        failing, now = self._back.failing, self._seconds
        await asyncio.gather(*(failing(unit, plans[unit], one, now, lease) for unit, one in found.items()))

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
        if found.breach is None:
            self._telling.over(unit, "breach")
        if found.breach is not None:
            await self._back.breached(unit, rules, standing, found.breach, seen.to_json(), lease)
        elif found.advances is not None and known is not None:
            await self._advance(unit, rules, standing, found.advances, known, lease)
        else:
            self.refused.pop(unit, None)
            self._telling.ask(unit, rules, _needed(found), "step")

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
            self._telling.over(unit, "step")
            self._telling.say("advanced", unit, rules, why, result.evidence)
            return
        self.refused[unit] = result.reason
        if any(one.code not in _PASSING for one in result.refusals):
            self._telling.ask(unit, rules, [Reason("refused", result.reason, person=True)], "step")


_BY_HAND = ("approval", "asked")
"""What a person can give at any moment; so it is worth knowing whether all else is well."""


def _needed(found: PlanDecision) -> list[Reason]:
    """For what a person is needed now: what is paused or held is known to people already."""
    only_by_hand = all(one.code in _BY_HAND for one in found.reasons)
    wanted = {"evidence", "limit", *(_BY_HAND if only_by_hand else ())}
    return [one for one in found.reasons if one.person and one.code in wanted]
