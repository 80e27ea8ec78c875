"""Faults of plans: steps that do not lead further, approvals of no step, a requirement that is written twice."""

from collections.abc import Iterator
from typing import Any

from strangler_gateway.config.checks.written import Found, WrittenFile
from strangler_gateway.config.faults import Place
from strangler_gateway.table.rules.plan import PlanStep, parse_step
from strangler_gateway.table.template import quoted


def plan_faults(file: WrittenFile) -> Found:
    """Every breach of a rule of every plan."""
    for place, fields in _movables(file):
        plan = fields.get("plan")
        if isinstance(plan, dict):
            yield from _order((*place, "plan", "steps"), plan)
            yield from _approvals((*place, "plan", "approve"), plan)
            yield from _twice((*place, "plan", "require"), plan, fields.get("gate"))


def _movables(file: WrittenFile) -> Iterator[tuple[Place, dict[str, Any]]]:
    groups = ((("groups", name), fields) for name, fields in file.groups.items() if isinstance(fields, dict))
    yield from groups
    yield from ((route.place, route.fields) for route in file.routes if "group" not in route.fields)


def _order(place: Place, plan: dict[str, Any]) -> Found:
    before: PlanStep | None = None
    for at, step in _steps(plan.get("steps")):
        if before is not None and step.rank <= before.rank:
            yield (*place, at), f"{step} does not lead further than {before}; a plan only goes forward"
        before = step


def _approvals(place: Place, plan: dict[str, Any]) -> Found:
    known = {step.rank: str(step) for _, step in _steps(plan.get("steps"))}
    for at, step in _steps(plan.get("approve")):
        if known and step.rank not in known:
            yield (*place, at), f"the plan has no step {quoted(str(step))}; its steps: {', '.join(known.values())}"


def _twice(place: Place, plan: dict[str, Any], gate: object) -> Found:
    require = plan.get("require")
    for field in ("parity", "delta", "p95_ratio"):
        if isinstance(require, dict) and isinstance(gate, dict) and field in require and field in gate:
            yield (*place, field), f'"{field}" is also written in `gate:`; keep one of the two'


def _steps(written: object) -> Iterator[tuple[int, PlanStep]]:
    """Those without a fault of their own."""
    for at, text in enumerate(written if isinstance(written, list) else ()):
        try:
            yield at, parse_step(text)
        except (ValueError, AttributeError):
            continue
