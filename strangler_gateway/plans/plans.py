"""What people ask of plans: where they stand, the next step, a pause, an approval. A refusal is a PlanAnswer."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from strangler_gateway.cluster.record import PlanState
from strangler_gateway.cluster.record_json import digest
from strangler_gateway.migration.rules.move_result import MoveResult
from strangler_gateway.migration.states import PlanMove
from strangler_gateway.plans.decide import (
    PlanDecision,
    PlanStanding,
    Reason,
    ReasonCode,
    decide,
    next_step,
    position_of,
)
from strangler_gateway.plans.driven import DrivenMigration
from strangler_gateway.plans.driver import PlanDriver
from strangler_gateway.plans.evidence import told
from strangler_gateway.plans.standings import PlanStandings
from strangler_gateway.table.rules.plan import PlanRules, PlanStep

AnswerCode = Literal["done", "nothing", "waits", "no_plan", "refused", "other_step", "same_operator"]
_FORCIBLE: tuple[ReasonCode, ...] = ("time", "window", "clock", "cooling", "limit", "evidence", "unknown")
"""What a person may override with `force`; evidence and its absence are judged by the flip itself."""
_ANSWERED: tuple[ReasonCode, ...] = ("asked", "limit")
"""What `advance` itself answers."""


@dataclass(frozen=True, slots=True)
class PlanReport:
    """Where a plan stands and what it waits for, at `at` (Unix seconds).

    `refused`: why its step was refused, the last time it was tried.
    """

    unit: str
    rules: PlanRules
    here: PlanStanding
    decision: PlanDecision
    at: float
    refused: str | None = None
    problem: str | None = None
    """Why nothing moves by itself here."""


@dataclass(frozen=True, slots=True)
class PlanAnswer:
    """What became of a wish. `result`: of the flip that it led to."""

    done: bool
    code: AnswerCode
    says: str
    result: MoveResult | None = None


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants something. `who`: for the journal; `credential`: whose it is; `step`: the one that was meant."""

    who: str
    credential: str
    why: str = ""
    step: str | None = None
    force: bool = False
    dry_run: bool = False


class Plans:
    """Of all movables, at every gateway."""

    def __init__(self, migration: DrivenMigration, here: PlanStandings, driver: PlanDriver) -> None:
        self._migration, self._here, self._driver = migration, here, driver

    def names(self) -> list[str]:
        """Movables with a plan."""
        return list(self._here.plans())

    async def report(self, unit: str) -> PlanReport | None:
        """None: it has no plan."""
        rules = self._here.plans().get(unit)
        if rules is None:
            return None
        known = told(await self._migration.evidence(unit))
        here = self._here.standing(unit)
        found = decide(rules, here, self._here.moment, known)
        now, driver = self._here.moment.now, self._driver
        return PlanReport(unit, rules, here, found, now, driver.refused.get(unit), driver.problem)

    def needs_person(self, unit: str) -> bool:
        """Whether this gateway, which drives, has asked for a person and nobody has come."""
        return bool(self._driver.needed(unit))

    def standing(self, unit: str) -> PlanStanding:
        """Where the plan of a movable stands. Raises KeyError if it is not served."""
        return self._here.standing(unit)

    async def advance(self, unit: str, wish: Wish) -> PlanAnswer:
        """Makes the next step now; where it needs an approval, it is asked for, and made when it is there."""
        report = await self.report(unit)
        if report is None:
            return _without(unit)
        step, here = report.decision.step, report.here
        if wish.step is not None and (other := _other(unit, wish.step, report)) is not None:
            return other
        if step is None:
            return PlanAnswer(True, "nothing", f"the plan of {unit} is done: it stands in {here.position}")
        left = [one for one in report.decision.reasons if one.code not in _ANSWERED]
        stays = [one for one in left if not (wish.force and one.code in _FORCIBLE) and one.code != "approval"]
        if stays:
            return PlanAnswer(False, "refused", _refusal(unit, step, stays))
        if any(one.code == "approval" for one in left):
            return await self._ask(unit, step, wish, here)
        return await self._make(unit, report, step, wish)

    async def approve(self, unit: str, wish: Wish) -> PlanAnswer:
        """Approves the next step, for another operator than the one who has asked for it."""
        rules, here = self._here.plans().get(unit), self._here.standing(unit)
        if rules is None:
            return _without(unit)
        step = next_step(rules, here.position)
        if step is None or step.rank not in {one.rank for one in rules.approve}:
            return PlanAnswer(True, "nothing", f"the next step of {unit} ({step or 'none'}) needs no approval")
        if wish.step is not None and wish.step != str(step):
            return PlanAnswer(False, "other_step", f"the next step of {unit} is {step}, not {wish.step}")
        if here.approved:
            return PlanAnswer(True, "nothing", f"{step} of {unit} is approved by {here.approved} already")
        if here.asked == wish.credential:
            return PlanAnswer(False, "same_operator", _same(unit, step, here.asked))
        said = f"{step} is approved" + (f": {wish.why}" if wish.why else "")
        return await self._change(unit, wish, said, lambda plan: replace(plan, approved=wish.credential))

    async def pause(self, unit: str, wish: Wish) -> PlanAnswer:
        """Nothing goes forward until `resume`."""
        if unit not in self._here.plans():
            return _without(unit)
        by = f"{wish.who} ({wish.why})" if wish.why else wish.who
        if (paused := self._here.standing(unit).paused) is not None:
            return PlanAnswer(True, "nothing", f"the plan of {unit} is paused already by {paused}")
        said = "paused" + (f": {wish.why}" if wish.why else "")
        return await self._change(unit, wish, said, lambda plan: replace(plan, paused=True, by=by))

    async def resume(self, unit: str, wish: Wish) -> PlanAnswer:
        """The plan goes on."""
        if unit not in self._here.plans():
            return _without(unit)
        if self._here.standing(unit).paused is None:
            return PlanAnswer(True, "nothing", f"the plan of {unit} is not paused")
        said = "resumed" + (f": {wish.why}" if wish.why else "")
        return await self._change(unit, wish, said, lambda plan: replace(plan, paused=False, by=""))

    async def _ask(self, unit: str, step: PlanStep, wish: Wish, here: PlanStanding) -> PlanAnswer:
        needed = f"{step} of {unit} needs the approval of another operator than {here.asked or wish.credential}"
        says = f"{needed}: `strangler approve {unit}`; then it is made"
        if here.asked:
            return PlanAnswer(True, "waits", f"{says} (asked for already)")
        said = f"{step} is asked for" + (f": {wish.why}" if wish.why else "")
        asked = await self._change(unit, wish, said, lambda plan: replace(plan, asked=wish.credential))
        return replace(asked, code="waits", says=says) if asked.done else asked

    async def _make(self, unit: str, report: PlanReport, step: PlanStep, wish: Wish) -> PlanAnswer:
        number = report.rules.steps.index(step) + 1
        why = f"step {number} of {len(report.rules.steps)}: {wish.why or step}"
        why += f"; approved by {report.here.approved}" if report.here.approved else ""
        move = PlanMove(digest(self._migration.standings[unit].record), None, number)
        result = await self._migration.flip(
            unit, position_of(step), who=wish.who, why=why, force=wish.force, dry_run=wish.dry_run, plan=move
        )
        would = "would go" if wish.dry_run else "goes"
        says = f"{unit} {would} to {step}" if result.done else f"{unit} stays in {result.before}: {result.reason}"
        return PlanAnswer(result.done, "done" if result.done else "refused", says, result)

    async def _change(self, unit: str, wish: Wish, said: str, change: Callable[[PlanState], PlanState]) -> PlanAnswer:
        if wish.dry_run:
            return PlanAnswer(True, "done", f"{unit}: {said} (dry run: nothing has changed)")
        result = await self._migration.plan(unit, change, who=wish.who, why=said)
        return PlanAnswer(result.done, "done" if result.done else "refused", result.reason or f"{unit}: {said}")


def _without(unit: str) -> PlanAnswer:
    return PlanAnswer(False, "no_plan", f"{unit} has no `plan:` in the routes file; move it with `strangler flip`")


def _other(unit: str, meant: str, report: PlanReport) -> PlanAnswer | None:
    """What to answer if another step than the one that was meant is the next one."""
    if report.decision.step is not None and str(report.decision.step) == meant:
        return None
    if meant == str(report.here.position):
        return PlanAnswer(True, "nothing", f"{unit} stands in {meant} already")
    return PlanAnswer(False, "other_step", f"the next step of {unit} is {report.decision.step or 'none'}, not {meant}")


def _refusal(unit: str, step: PlanStep, left: list[Reason]) -> str:
    return f"{unit} does not go to {step} yet: " + "; ".join(one.says for one in left)


def _same(unit: str, step: PlanStep, asked: str) -> str:
    return (
        f"{step} of {unit} was asked for with the credential of {asked}, which is yours: another operator approves it "
        "(named operators: STRANGLER_ADMIN_TOKENS_FILE)"
    )
