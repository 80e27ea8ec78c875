"""Turns `plan:` of the checked file into its values."""

from typing import Literal

from strangler_gateway.config.plan_model import PlanEntry
from strangler_gateway.table.rules.plan import NotifyRules, PlanRules, parse_step, parse_steps
from strangler_gateway.table.rules.time_window import parse_window

Data = Literal["shared", "own"]


def compile_plan(entry: PlanEntry, data: Data) -> PlanRules:
    """With `data: own` nothing goes back by itself unless the file says so: the monolith lacks what was written."""
    by_default: Literal["rollback", "hold"] = "rollback" if data == "shared" else "hold"
    on_breach = entry.on_breach or by_default
    return PlanRules(
        steps=parse_steps(entry.steps),
        auto=entry.auto,
        on_breach=on_breach,
        on_failures=by_default if data == "shared" else on_breach,
        window=parse_window(entry.window) if entry.window else None,
        approve=tuple(map(parse_step, entry.approve)),
        holdback=round((entry.holdback or 0) * 10_000),
        cool_down_s=entry.cool_down,
        max_rollbacks=entry.max_rollbacks,
        notify=NotifyRules(entry.notify.webhook, tuple(entry.notify.command)) if entry.notify else NotifyRules(),
    )
