"""Plans as the admin API shows them: shares in per cent, times in UTC, durations in seconds."""

from collections.abc import Sequence
from typing import Any

from chassis.service.metrics import Metric, gauge
from strangler_gateway.admin.views import View, move_result
from strangler_gateway.migration.journal.journal_entry import iso
from strangler_gateway.plans.decide import PlanDecision, Reason, position_of
from strangler_gateway.plans.plans import PlanAnswer, PlanReport, Plans
from strangler_gateway.table.position import place
from strangler_gateway.table.rules.plan import PlanStep


def plan(one: PlanReport) -> View:
    """Where a plan stands, what it waits for, and when it would go on."""
    here, rules, found = one.here, one.rules, one.decision
    return {
        "group": one.unit,
        "share": None,
        **(place(here.position) or {}),
        "auto": rules.auto,
        "steps": [_step(step, one) for step in rules.steps],
        "next": str(found.step) if found.step else None,
        "says": sentence(one),
        "waits": [_reason(reason) for reason in found.reasons],
        "goes_on_in_s": _wait_s(found),
        "goes_on_at": iso(one.at + wait_s) if (wait_s := _wait_s(found)) is not None else None,
        "spent_s": round(here.spent_s, 1),
        "held": here.hold is not None,
        "paused": here.paused,
        "asked": here.asked or None,
        "approved": here.approved or None,
        "probe": here.probe,
        "known_failures": [
            {"route": one.stream or None, "failed": one.failed, "of": one.of, "at": iso(one.at), "until": iso(until)}
            for one, until in here.known
        ],
        "window": str(rules.window) if rules.window else None,
        "on_breach": rules.on_breach,
        "breach": found.breach,
        "rollbacks": {"last_day": len(here.rollback_ages), "max": rules.max_rollbacks},
        "refused": one.refused,
        "problem": one.problem,
    }


def sentence(one: PlanReport) -> str:
    """What it does next, in one sentence."""
    found, here = one.decision, one.here
    if found.step is None:
        return f"{one.unit} stands in {here.position}: the plan is done"
    if found.reasons:
        return f"{one.unit} stands in {here.position} and waits with {found.step}: {found.reasons[0].says}"
    if one.refused:
        return f"{one.unit} stands in {here.position}; {found.step} was refused: {one.refused}"
    return f"{one.unit} stands in {here.position}; {found.step} is made now"


def answer(one: PlanAnswer, report: PlanReport | None) -> View:
    """What became of a wish, and where the plan stands then."""
    return {
        "done": one.done,
        "code": one.code,
        "message": one.says,
        "move": move_result(one.result) if one.result is not None else None,
        "plan": plan(report) if report is not None else None,
    }


def plan_metrics(plans: Plans) -> Sequence[Metric]:
    """Of every plan: whether it is paused, whether a person is needed, how often it went back by itself."""
    units = plans.names()
    standings = {unit: plans.standing(unit) for unit in units}
    paused = {unit: int(one.paused is not None) for unit, one in standings.items()}
    needed = {unit: int(plans.needs_person(unit)) for unit in units}
    back = {unit: len(one.rollback_ages) for unit, one in standings.items()}
    return (
        gauge("strangler_plan_paused", "1: nothing goes forward until `strangler resume`.", paused, "unit"),
        gauge("strangler_plan_needs_person", "1: the gateway that drives waits for a person.", needed, "unit"),
        gauge("strangler_plan_rollbacks_last_day", "Automatic rollbacks of the last 24 hours.", back, "unit"),
    )


def _step(step: PlanStep, one: PlanReport) -> dict[str, Any]:
    return {
        "step": str(step),
        **(place(position_of(step)) or {}),
        "at_least_s": step.at_least_s,
        "approve": step.rank in {each.rank for each in one.rules.approve},
        "reached": position_of(step).rank <= one.here.position.rank,
    }


def _reason(one: Reason) -> View:
    wait_s = round(one.wait_s, 1) if one.wait_s is not None else None
    return {"code": one.code, "says": one.says, "wait_s": wait_s, "person": one.person}


def _wait_s(found: PlanDecision) -> float | None:
    """None: it is done, or nobody knows."""
    if found.step is None:
        return None
    return round(found.wait_s, 1) if found.wait_s is not None else (None if found.reasons else 0.0)
