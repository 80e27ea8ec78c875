"""What `strangler top` says: sums over the routes of each group, and what has changed between two looks. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from strangler_gateway.cli.output import Row, where

Answer = Mapping[str, Any]
_MOVED = ("extracted", "retired")


@dataclass(frozen=True, slots=True)
class Look:
    """One look, at monotonic seconds: the answer about all routes, and the plans by group."""

    at: float
    answer: Answer
    plans: Mapping[str, Answer]

    @property
    def groups(self) -> dict[str, list[Answer]]:
        """Routes by group, in the order of the file; without those that stay in the monolith."""
        found: dict[str, list[Answer]] = {}
        for route in self.answer["routes"]:
            found.setdefault(route["unit"], []).append(route)
        return {name: routes for name, routes in found.items() if any(one["new_end"] for one in routes)}


@dataclass(frozen=True, slots=True)
class _SideCounts:
    """Requests and failures by side."""

    legacy: int = 0
    new: int = 0
    failed_legacy: int = 0
    failed_new: int = 0

    def since(self, before: "_SideCounts") -> "_SideCounts":
        """Without a number below 0: counters begin anew when a gateway does."""
        return _SideCounts(
            max(0, self.legacy - before.legacy),
            max(0, self.new - before.new),
            max(0, self.failed_legacy - before.failed_legacy),
            max(0, self.failed_new - before.failed_new),
        )


def group_rows(before: Look, now: Look) -> list[Row]:
    """One row a group."""
    earlier = before.groups
    return [_row(name, routes, earlier.get(name, []), now, now.at - before.at) for name, routes in now.groups.items()]


def _row(name: str, routes: Sequence[Answer], earlier: Sequence[Answer], now: Look, elapsed: float) -> Row:
    count, first = _counted(routes).since(_counted(earlier)), routes[0]
    return (
        name,
        where(first),
        "held" if first["held"] else "",
        f"{(count.legacy + count.new) / elapsed:.1f}",
        _part(count.new, count.legacy + count.new),
        _part(count.failed_legacy, count.legacy),
        _part(count.failed_new, count.new),
        _plan(now.plans.get(name)),
    )


def totals(before: Look, now: Look) -> dict[str, Any]:
    """The same for programs: how far, and the traffic since the last look. Parts are fractions; null: no requests."""
    groups, count = now.groups, _counted(now.answer["routes"]).since(_counted(before.answer["routes"]))
    requests = count.legacy + count.new
    return {
        "groups": len(groups),
        "groups_moved": sum(routes[0]["state"] in _MOVED for routes in groups.values()),
        "routes": sum(map(len, groups.values())),
        "routes_moved": sum(len(routes) for routes in groups.values() if routes[0]["state"] in _MOVED),
        "held": sum(bool(routes[0]["held"]) for routes in groups.values()),
        "requests_per_second": round(requests / (now.at - before.at), 3),
        "new_part": round(count.new / requests, 4) if requests else None,
        "failed_part": round((count.failed_legacy + count.failed_new) / requests, 4) if requests else None,
        "undeclared": sum(shape["requests"] for shape in now.answer["undeclared"]),
    }


def summary(before: Look, now: Look) -> str:
    """One line."""
    seen = totals(before, now)
    new, failed = (_per_cent(seen[name]) for name in ("new_part", "failed_part"))
    return (
        f"{seen['groups_moved']} of {seen['groups']} groups and {seen['routes_moved']} of {seen['routes']} routes have "
        f"moved; {seen['requests_per_second']:.1f} requests/s, {new} on the new side, {failed} failed; "
        f"{seen['undeclared']} undeclared requests so far"
    )


def problems(now: Look) -> list[str]:
    """What somebody should look at, as sentences."""
    answer = now.answer
    found = [f"the routes file is refused: {fault}" for fault in answer["faults"]]
    if answer["state_dir"]["problem"]:
        found.append(f"flips are off, the state directory cannot be written: {answer['state_dir']['problem']}")
    if answer.get("store_problem"):
        found.append(f"the shared store does not answer: {answer['store_problem']}")
    return [*found, *answer.get("silent", ()), *answer.get("lagging", ())]


def _counted(routes: Sequence[Answer]) -> _SideCounts:
    return _SideCounts(
        sum(one["requests"]["legacy"] for one in routes),
        sum(one["requests"]["extracted"] for one in routes),
        sum(one["errors"]["legacy"] + one["unanswered"]["legacy"] for one in routes),
        sum(one["errors"]["extracted"] + one["failovers"] for one in routes),
    )


def _part(count: int, of: int) -> str:
    return _per_cent(count / of if of else None)


def _per_cent(part: float | None) -> str:
    return "-" if part is None else f"{100 * part:.3g} %"


def _plan(plan: Answer | None) -> str:
    """What it waits for, or its next step."""
    if plan is None:
        return ""
    reasons = [str(one["says"]) for one in plan["waits"]]
    return reasons[0] if reasons else plan["refused"] or (f"next {plan['next']}" if plan["next"] else "done")
