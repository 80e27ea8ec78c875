"""The migration as one picture: where every group stands, what goes where, what is wrong."""

from collections.abc import Mapping, Sequence
from typing import Any

from strangler_gateway.admin import views
from strangler_gateway.migration.journal.journal_entry import iso
from strangler_gateway.migration.migration import Migration
from strangler_gateway.page import texts
from strangler_gateway.page.live.history import ALL, Ring
from strangler_gateway.page.views import pace
from strangler_gateway.table.position import place, position_of
from strangler_gateway.table.routes import MigrationState, Movable, Route, RouteTable
from strangler_gateway.telemetry.stats import Stats

View = dict[str, Any]
NOW_S = 10.0
"""Requests per second are those of the last ten seconds."""
MAX_SHAPES = 10
MAX_ENTRIES = 5_000


def overview(migration: Migration, stats: Stats, recent: Ring, gateways: Mapping[str, Any]) -> View:
    """Everything that the first page shows."""
    table = migration.served
    routes = by_movable(table)
    rows = [row(migration, one, routes.get(name, ()), recent) for name, one in table.movables.items()]
    return {
        "problems": problems(migration, gateways),
        "states": [_state(state, rows, stats, routes) for state in MigrationState],
        "totals": _totals(table, rows, recent),
        "groups": rows,
        "undeclared": _undeclared(stats),
        "gateways": gateways,
        "digest": table.digest,
    }


def pace_of(migration: Migration, totals: Mapping[str, Any], now: float) -> View:
    """How fast groups were extracted lately, and what that says about the rest."""
    moved = pace.extracted_at(migration.log(MAX_ENTRIES))
    here = [at for name, at in moved.items() if name in migration.served.movables]
    return pace.pace(here, totals["groups"] - totals["extracted"], now)


def by_movable(table: RouteTable) -> Mapping[str, Sequence[Route]]:
    """The routes that move together."""
    found: dict[str, list[Route]] = {}
    for route in table.routes:
        found.setdefault(route.movable.name, []).append(route)
    return found


def shown(one: View) -> View:
    """What people see of a row: numbers that look the same are the same."""
    new, legacy = one["failed_new"], one["failed_legacy"]
    return {
        **{key: one[key] for key in ("name", "routes", "moves", "state", "held")},
        "users": f"{one['share']:g} %" if one["share"] is not None else "",
        "per_second": texts.rate(one["per_second"]),
        "bar": round(one["new_part"] or 0, 2),
        "new_part": texts.part(one["new_part"]),
        "failed_new": texts.part(new),
        "failed_legacy": texts.part(legacy),
        "bad": bool(new and new > (legacy or 0)),
        "moved_at": texts.moment(one["moved_at"]),
    }


def row(migration: Migration, movable: Movable, routes: Sequence[Route], recent: Ring) -> View:
    """One movable."""
    standing = migration.standings[movable.name]
    seconds, now = recent.latest(movable.name, NOW_S)
    hold = standing.hold
    return {
        "name": movable.name,
        "kind": movable.kind,
        "routes": len(routes),
        "moves": any(route.has_new_end for route in routes),
        **_place(movable),
        "held": None if hold is None else {"who": hold.who, "why": hold.why, "at": iso(hold.since)},
        "moved_at": iso(standing.since) if standing.since else None,
        "per_second": (now.legacy + now.new) / seconds if seconds else 0.0,
        "new_part": _part(now.new, now.legacy + now.new),
        "failed_legacy": _part(now.failed_legacy, now.legacy),
        "failed_new": _part(now.failed_new, now.new),
    }


def problems(migration: Migration, gateways: Mapping[str, Any]) -> list[str]:
    """What somebody should look at, as sentences."""
    found = [f"The routes file is refused, the last good table is served: {fault}" for fault in migration.faults]
    if migration.problem:
        found.append(f"Flips are off, the state directory cannot be written: {migration.problem}")
    if migration.store_problem:
        found.append(f"The shared store does not answer: {migration.store_problem}")
    for one in gateways["gateways"]:
        if one["lagging"]:
            found.append(
                f"Gateway {one['name']} lags: it does not serve the latest state of {', '.join(one['lagging'])}"
            )
    return found


def _place(movable: Movable) -> View:
    return {"share": None, **(place(position_of(movable)) or {})}


def _state(state: MigrationState, rows: Sequence[View], stats: Stats, routes: Mapping[str, Sequence[Route]]) -> View:
    mine = [one for one in rows if one["state"] == state and one["moves"]]
    return {
        "state": str(state),
        "groups": len(mine),
        "routes": sum(int(one["routes"]) for one in mine),
        "requests": sum(_requests(stats, routes.get(one["name"], ())) for one in mine),
    }


def _requests(stats: Stats, routes: Sequence[Route]) -> int:
    return sum(stats.route(route.id).legacy + stats.route(route.id).extracted for route in routes)


def _totals(table: RouteTable, rows: Sequence[View], recent: Ring) -> View:
    seconds, now = recent.latest(ALL, NOW_S)
    movable = [one for one in rows if one["moves"]]
    return {
        "groups": len(movable),
        "extracted": sum(one["state"] in (MigrationState.EXTRACTED, MigrationState.RETIRED) for one in movable),
        "routes": len(table.routes),
        "routes_moved": sum(
            int(one["routes"]) for one in movable if one["state"] in (MigrationState.EXTRACTED, MigrationState.RETIRED)
        ),
        "held": sum(one["held"] is not None for one in rows),
        "per_second": (now.legacy + now.new) / seconds if seconds else 0.0,
        "new_part": _part(now.new, now.legacy + now.new),
        "failed_part": _part(now.failed_legacy + now.failed_new, now.legacy + now.new),
    }


def _undeclared(stats: Stats) -> View:
    shapes = sorted(stats.undeclared.items(), key=lambda one: -one[1])
    return {
        "requests": sum(stats.undeclared.values()),
        "shapes": [{"shape": shape, "requests": requests} for shape, requests in shapes[:MAX_SHAPES]],
        "more": max(0, len(shapes) - MAX_SHAPES),
    }


def _part(count: float, of: float) -> float | None:
    return count / of if of else None


def journal(migration: Migration, limit: int, unit: str | None = None) -> list[View]:
    """The latest entries, the newest first."""
    return [views.journal_entry(entry) for entry in reversed(migration.log(limit, unit))]
