"""What happens where users would suffer: back, a halt, or a probe; never forward, and only so often."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from strangler_gateway.cluster.record import plan_state
from strangler_gateway.cluster.record_json import digest
from strangler_gateway.evidence.cards import Advice
from strangler_gateway.evidence.group_cards import GroupJudgement, listed
from strangler_gateway.evidence.known_failures import KnownFailures, remembered
from strangler_gateway.migration.journal.journal_entry import Standing
from strangler_gateway.migration.states import PlanMove
from strangler_gateway.plans.decide import back_refused
from strangler_gateway.plans.driven import WHO, DrivenMigration
from strangler_gateway.plans.probes import Probes, is_high
from strangler_gateway.plans.standings import PlanStandings
from strangler_gateway.plans.telling import About, Telling
from strangler_gateway.table.rules.plan import PlanRules


class GoingBack:
    """`lease`: with which this gateway acts; what a movable looked like when it was judged must still hold then."""

    def __init__(self, migration: DrivenMigration, here: PlanStandings, telling: Telling) -> None:
        self._migration, self._here, self._telling = migration, here, telling
        self._probes = Probes()

    async def failing(self, unit: str, rules: PlanRules, found: GroupJudgement, now: float, lease: str) -> None:
        """Acts on what rule 2 says. `now`: seconds of the driver."""
        standing = self._migration.standings[unit]
        if found.advice is Advice.OK:
            self._telling.over(unit, "failures")
        if found.advice is Advice.ROLLBACK and rules.on_failures == "rollback":
            await self._go_back(unit, rules, standing, found.says, found.to_json(), "failures")
        elif found.advice is Advice.ROLLBACK:
            await self._hold_back(unit, rules, standing, found.says, lease)
        elif rules.on_failures == "rollback":
            await self._probe(unit, rules, standing, found, now, lease)

    async def breached(
        self, unit: str, rules: PlanRules, standing: Standing, says: str, evidence: Mapping[str, Any], lease: str
    ) -> None:
        """The new side is slow or answers differently."""
        if rules.on_breach == "rollback":
            await self._go_back(unit, rules, standing, says, evidence, "breach")
        else:
            await self._hold_back(unit, rules, standing, says, lease)

    async def _go_back(
        self, unit: str, rules: PlanRules, standing: Standing, says: str, evidence: Mapping[str, Any], about: About
    ) -> None:
        """Rolls back, unless that was done too often: then it asks for a person."""
        refused = back_refused(rules, self._here.standing(unit))
        if refused is not None:
            reason = replace(refused, says=f"{says}; it is not rolled back by itself: {refused.says}")
            self._telling.ask(unit, rules, [reason], about)
        elif await self._migration.roll_back(unit, WHO, says, evidence, standing):
            self._migration.sentinel.forget(unit)
            self._telling.say("rolled_back", unit, rules, says, evidence)

    async def _hold_back(self, unit: str, rules: PlanRules, standing: Standing, says: str, lease: str) -> None:
        """Pauses the plan; the movable stays."""
        if self._here.standing(unit).paused is not None:
            return
        move, by = PlanMove(digest(standing.record), lease), f"{WHO} ({says})"
        result = await self._migration.plan(
            unit, lambda plan: replace(plan, paused=True, by=by), who=WHO, why=f"paused: {says}", plan=move
        )
        if result.done:
            self._telling.say("held_back", unit, rules, says)

    async def _probe(
        self, unit: str, rules: PlanRules, standing: Standing, found: GroupJudgement, now: float, lease: str
    ) -> None:
        """Nearly all users are on the new side, so nobody can tell a break from a fault that both sides have."""
        before = plan_state(standing.record)
        wanted = self._probes.wanted(unit, standing.position, found, now, rules.cool_down_s, before.probe)
        known = self._known(unit, standing, found)
        if wanted is None and known == before.known:
            return
        probe = before.probe if wanted is None else wanted
        says, move = _probed(found, wanted, before.known, known), PlanMove(digest(standing.record), lease)
        result = await self._migration.plan(
            unit, lambda plan: replace(plan, probe=probe, known=known), who=WHO, why=says, plan=move
        )
        if result.done:
            self._telling.say("probe", unit, rules, says, found.to_json())

    def _known(self, unit: str, standing: Standing, found: GroupJudgement) -> tuple[KnownFailures, ...]:
        """What legacy is known to fail. A canary of few learns nothing: there both sides are compared all the time."""
        before, now = plan_state(standing.record).known, int(self._here.moment.now)
        learned = [one._replace(at=now) for one in found.learned if is_high(standing.position)]
        if not learned and not found.gone:
            return before
        kept = {one.stream for one in found.known}
        return remembered([one for one in before if one.stream in kept], learned, found.gone)


def _probed(
    found: GroupJudgement, wanted: bool | None, before: Sequence[KnownFailures], known: Sequence[KnownFailures]
) -> str:
    """In one sentence what begins or ends, and why."""
    said = {True: "half of the users go to legacy for a moment", False: "the share is back where it was", None: ""}
    if learned := [one for one in known if one not in before]:
        why = f"legacy fails as often at {listed(learned)}, so this is no break, and it is remembered"
    elif gone := [one for one in before if one not in known]:
        why = f"what legacy was seen to fail is forgotten, because it fails no more as often: {listed(gone)}"
    else:
        why = found.says
    return ": ".join(filter(None, (said[wanted], why)))
