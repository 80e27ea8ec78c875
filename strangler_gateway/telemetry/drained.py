"""What one process has counted since it was last asked, as JSON-able values that another one adds to its own.

Every number is told once: `drain` sets it back to zero, in place, since requests under way hold these objects.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from strangler_gateway.telemetry.histogram import add_sparse, sparse
from strangler_gateway.telemetry.migration_steps.counts import RouteCounts, StepCounts
from strangler_gateway.telemetry.publish_stats import Durations, Published
from strangler_gateway.telemetry.stats import COUNTERS, SAME_MOMENT_S, RouteStats, Stats
from strangler_gateway.telemetry.user_sketch import Users

Delta = Mapping[str, Any]
_SIDES = ("legacy", "extracted")


def drain(stats: Stats) -> dict[str, Any]:
    """What was counted since the last call; empty if nothing was."""
    stats.tick()
    said: dict[str, Any] = {
        "routes": {name: row for name, one in stats.by_route.items() if (row := _drain_route(one))},
        "undeclared": dict(stats.undeclared),
        "published": {name: row for name, one in stats.published.items() if (row := _drain_published(one))},
        "calls": [[*key, count] for key, count in stats.calls.items()],
        "exchanges": {outcome: count for outcome, count in stats.exchanges.items() if count},
        "refused": stats.refused,
        "overloaded": stats.overloaded,
        "steps": {unit: row for unit, one in stats.steps.items() if (row := _drain_step(one))},
    }
    stats.undeclared.clear()
    stats.calls.clear()
    stats.exchanges.update(dict.fromkeys(stats.exchanges, 0))
    stats.refused = stats.overloaded = 0
    return {name: value for name, value in said.items() if value}


def add(stats: Stats, delta: Delta) -> None:
    """Adds what another process has drained. Raises LookupError, TypeError, ValueError if it is nothing of the kind."""
    for name, row in delta.get("routes", {}).items():
        _add_route(stats.route(name), row)
    for shape, count in delta.get("undeclared", {}).items():
        stats.count_shape(shape, int(count))
    for name, row in delta.get("published", {}).items():
        _add_published(stats.published.setdefault(name, Published()), row)
    for route, call, result, count in delta.get("calls", ()):
        stats.called(route, call, result, int(count))
    for outcome, count in delta.get("exchanges", {}).items():
        stats.exchanges[outcome] += int(count)
    stats.refused += int(delta.get("refused", 0))
    stats.overloaded += int(delta.get("overloaded", 0))
    for unit, row in delta.get("steps", {}).items():
        _add_step(stats.steps.get(unit), row)


def without_users(delta: Delta) -> Delta:
    """What was drained without the sketches, which no process with another PYTHONHASHSEED can read."""
    rows = delta.get("routes", {})
    kept = {route: {k: v for k, v in row.items() if not k.startswith("users_")} for route, row in rows.items()}
    return {**delta, "routes": kept}


def told(stats: Stats, *, users: bool = False, durations: bool = False) -> dict[str, Any]:
    """Everything that was counted since `stats.since`, which stays; `users`: with the sketches.

    `durations`: with the histograms of this process.
    """
    rows = {name: row for name, one in stats.by_route.items() if (row := _told_route(one, users, durations))}
    return {"routes": rows, "undeclared": dict(stats.undeclared)}


def _told_route(one: RouteStats, users: bool, durations: bool) -> dict[str, Any]:
    sketches = {f"users_{side}": getattr(one, f"users_{side}") for side in _SIDES} if users else {}
    row: dict[str, Any] = {name: sketch.text() for name, sketch in sketches.items() if sketch is not None}
    if durations:
        row |= {f"latency_{side}": sparse(getattr(one, f"durations_{side}")) for side in _SIDES}
    row["counters"] = {name: count for name in COUNTERS if (count := getattr(one, name))}
    row["last_legacy_at"] = one.last_legacy_at
    return {name: value for name, value in row.items() if value}


def _drain_route(one: RouteStats) -> dict[str, Any]:
    row: dict[str, Any] = {"counters": {name: count for name in COUNTERS if (count := getattr(one, name))}}
    for name in row["counters"]:
        setattr(one, name, 0)
    for side in _SIDES:
        statuses, durations = getattr(one, f"statuses_{side}"), getattr(one, f"durations_{side}")
        users: Users | None = getattr(one, f"users_{side}")
        if users is not None:
            row[f"users_{side}"] = users.text()
            setattr(one, f"users_{side}", None)
        if statuses:
            row[f"statuses_{side}"] = [[status, count] for status, count in statuses.items()]
            row[f"latency_{side}"], row[f"seconds_{side}"] = sparse(durations), getattr(one, f"seconds_{side}")
            statuses.clear()
            durations[:] = [0] * len(durations)
            setattr(one, f"seconds_{side}", 0.0)
    exercised = (one.exercised_legacy, one.exercised_extracted)
    if any(each.answers for each in exercised):
        row["exercised"] = [each.snapshot() for each in exercised]
        for each in exercised:
            each.answers.clear()
            each.roles.clear()
    row["last_legacy_at"], one.last_legacy_at = one.last_legacy_at, 0.0
    return {name: value for name, value in row.items() if value}


def _add_route(one: RouteStats, row: Delta) -> None:
    for name, count in row.get("counters", {}).items():
        if name not in COUNTERS:
            continue  # of another version
        setattr(one, name, getattr(one, name) + int(count))
    one.last_legacy_at = max(one.last_legacy_at, float(row.get("last_legacy_at", 0.0)))
    one.add_exercised(row.get("exercised", ()))
    for side in _SIDES:
        statuses = getattr(one, f"statuses_{side}")
        for status, count in row.get(f"statuses_{side}", ()):
            statuses[status] = statuses.get(status, 0) + int(count)
        add_sparse(getattr(one, f"durations_{side}"), row.get(f"latency_{side}", ()))
        setattr(one, f"seconds_{side}", getattr(one, f"seconds_{side}") + float(row.get(f"seconds_{side}", 0.0)))
        if f"users_{side}" in row:
            users = getattr(one, f"users_{side}") or Users()
            users.unite(row[f"users_{side}"])
            setattr(one, f"users_{side}", users)


def _add_each(counts: list[int], more: Any) -> None:
    for at, count in enumerate(more):
        counts[at] += int(count)


def _drain_published(one: Published) -> dict[str, Any]:
    row = {
        "confirmed": one.confirmed,
        "failures": {word: count for word, count in one.failures.items() if count},
        "outcomes": {word: count for word, count in one.outcomes.items() if count},
        "durations": [[list(each.counts), each.seconds] for each in _durations(one)],
    }
    if not (row["confirmed"] or row["failures"] or row["outcomes"]):
        return {}
    one.confirmed = 0
    one.failures.update(dict.fromkeys(one.failures, 0))
    one.outcomes.update(dict.fromkeys(one.outcomes, 0))
    for each in _durations(one):
        each.counts[:], each.seconds = [0] * len(each.counts), 0.0
    return row


def _add_published(one: Published, row: Delta) -> None:
    one.confirmed += int(row["confirmed"])
    for word, count in row["failures"].items():
        one.failures[word] += int(count)
    for word, count in row["outcomes"].items():
        one.outcomes[word] = one.outcomes.get(word, 0) + int(count)
    for each, (counts, seconds) in zip(_durations(one), row["durations"], strict=True):
        _add_each(each.counts, counts)
        each.seconds += float(seconds)


def _durations(one: Published) -> Iterator[Durations]:
    yield from (one.confirm, one.reply)


def _drain_step(one: StepCounts) -> dict[str, Any]:
    """The bitmaps stay: they tell which users count no more here."""
    first = {route: row for route, counts in one.routes.items() if any(map(any, row := _drain_first(counts)))}
    timings, parity = one.timings.drain(), one.parity.drain()
    if not first and not timings and not parity and not any(any(counts.row()) for counts in one.routes.values()):
        return {}
    said = one.snapshot() | {"first": first, "timings": {"age_s": 0.0, "routes": timings}, "parity": parity}
    for counts in one.routes.values():
        counts.failed_new = counts.new = counts.failed_legacy = counts.legacy = 0
    one.example = None
    return said


def _add_step(step: StepCounts | None, row: Delta) -> None:
    """Counts of a step that is over are left out, as they are within one process."""
    told = StepCounts.restored(row)
    if step is not None and step.share == told.share and abs(step.since - told.since) < SAME_MOMENT_S:
        step.add(told)
        for route, (new, legacy) in row.get("first", {}).items():
            step.of(route).first_new.add(new)
            step.of(route).first_legacy.add(legacy)


def _drain_first(counts: RouteCounts) -> tuple[list[Any], list[Any]]:
    """Users who have failed stay known here until the parent says that they count again."""
    return counts.first_new.drain(), counts.first_legacy.drain()
