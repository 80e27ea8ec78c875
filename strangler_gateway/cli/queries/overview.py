"""What `strangler top` says of the gateway's overview (`GET /overview`). Pure."""

from collections.abc import Mapping
from typing import Any

from strangler_gateway.cli.output import Row, where

Answer = Mapping[str, Any]


def group_rows(overview: Answer, plans: Mapping[str, Answer]) -> list[Row]:
    """One row a group that can move; `plans` by group."""
    return [_row(one, plans.get(one["name"])) for one in overview["groups"] if one["moves"]]


def _row(one: Answer, plan: Answer | None) -> Row:
    return (
        one["name"],
        where(one),
        "held" if one["held"] else "",
        _rate(one["per_second"]),
        _per_cent(one["new_part"]),
        _per_cent(one["failed_legacy"]),
        _per_cent(one["failed_new"]),
        _plan(plan),
    )


def totals(overview: Answer) -> dict[str, Any]:
    """For programs: how far, and the traffic of the last seconds. Parts are fractions; null: no requests."""
    seen = overview["totals"]
    return {
        "groups": seen["groups"],
        "groups_moved": seen["extracted"],
        "routes": seen["routes"],
        "routes_moved": seen["routes_moved"],
        "held": seen["held"],
        "requests_per_second": _rounded(seen["per_second"], 3),
        "new_part": _rounded(seen["new_part"], 4),
        "failed_part": _rounded(seen["failed_part"], 4),
        "undeclared": overview["undeclared"]["requests"],
    }


def summary(overview: Answer) -> str:
    """One line."""
    seen, undeclared = overview["totals"], overview["undeclared"]["requests"]
    new, failed = (_per_cent(seen[name]) for name in ("new_part", "failed_part"))
    return (
        f"{seen['extracted']} of {seen['groups']} groups and {seen['routes_moved']} of {seen['routes']} routes have "
        f"moved; {_rate(seen['per_second'])} requests/s, {new} on the new side, {failed} failed; "
        f"{undeclared} undeclared requests so far"
    )


def _rate(per_second: float | None) -> str:
    return "-" if per_second is None else f"{per_second:.1f}"


def _per_cent(part: float | None) -> str:
    return "-" if part is None else f"{100 * part:.3g} %"


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(value, digits)


def _plan(plan: Answer | None) -> str:
    """What it waits for, or its next step."""
    if plan is None:
        return ""
    reasons = [str(one["says"]) for one in plan["waits"]]
    return reasons[0] if reasons else plan["refused"] or (f"next {plan['next']}" if plan["next"] else "done")
