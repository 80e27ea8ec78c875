"""One group: where it stands, its routes, and where it can go from here."""

from collections.abc import Mapping, Sequence
from typing import Any

from strangler_gateway.admin import views
from strangler_gateway.migration.guards.guard import GuardState
from strangler_gateway.migration.migration import Migration
from strangler_gateway.overview.overview import by_movable, row
from strangler_gateway.overview.ring import Ring
from strangler_gateway.page.views import overview
from strangler_gateway.table.position import Position, place, position_of
from strangler_gateway.table.routes import MigrationState, Movable, Route
from strangler_gateway.telemetry.stats import Stats

View = dict[str, Any]
SHARES = (100, 1000, 2500, 5000, 10_000)
"""Basis points that the page offers for a canary; any other can be typed."""
MAX_JOURNAL = 20


def group(migration: Migration, movable: Movable, stats: Stats, recent: Ring) -> View:
    """What does not have to be asked for elsewhere."""
    table = migration.served
    routes = by_movable(table).get(movable.name, ())
    standing, unconfirmed = migration.standings[movable.name], migration.unconfirmed
    return row(migration, movable, routes, recent) | {
        "who": standing.who,
        "why": standing.why,
        "data": movable.data,
        "guard": views.guard(migration.guards.of(movable.name)),
        "routes": [views.route(each, migration, stats.route(each.id), unconfirmed) for each in routes],
        "next": [place(one) for one in _next(movable, routes)],
        "journal": overview.journal(migration, MAX_JOURNAL, movable.name),
    }


def guard(own: View | None, others: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """Of the guards at all gateways: one that watches now before one that has ended, then the latest."""
    found = [*([own | {"gateway": None}] if own is not None else []), *others]
    return max(found, key=lambda one: (one["state"] == GuardState.WATCHING, one["until"]), default=None)


def _next(movable: Movable, routes: Sequence[Route]) -> Sequence[Position]:
    if not any(route.has_new_end for route in routes):
        return ()
    return steps(position_of(movable), can_shadow=any(route.shadow for route in routes))


def steps(here: Position, *, can_shadow: bool) -> Sequence[Position]:
    """Where a movable may go next without a skipped state, forward."""
    match here.state:
        case MigrationState.LEGACY:
            return (Position(MigrationState.SHADOW),) if can_shadow else _canaries(0)
        case MigrationState.SHADOW:
            return _canaries(0)
        case MigrationState.CANARY:
            return (*_canaries(here.share), Position(MigrationState.EXTRACTED))
        case MigrationState.EXTRACTED:
            return (Position(MigrationState.RETIRED),)
        case MigrationState.RETIRED:
            return ()


def _canaries(above: int) -> tuple[Position, ...]:
    return tuple(Position(MigrationState.CANARY, share) for share in SHARES if share > above)


def difference_tree(routes: Sequence[View]) -> list[View]:
    """Examples of differences as a tree of places: `$.data.price` under `$.data`; each with its examples."""
    root: dict[str, Any] = {}
    for one in routes:
        for example in one["differences"]:
            for each in example["differences"]:
                node = root
                for part in (one["route"], *_parts(str(each["where"]))):
                    node = node.setdefault("inside", {}).setdefault(part, {"count": 0})
                    node["count"] += int(example["count"])
                node.setdefault("examples", []).append({**example, **each})
    return _listed(root)


def _parts(where: str) -> list[str]:
    """`$.data.items[*].price` → `data`, `items[*]`, `price`."""
    if not where.startswith("$"):
        return [where]
    return [part for part in where.removeprefix("$").split(".") if part] or ["$"]


def _listed(node: dict[str, Any]) -> list[View]:
    inside = sorted(node.get("inside", {}).items(), key=lambda one: -one[1]["count"])
    return [
        {"name": name, "count": one["count"], "examples": one.get("examples", []), "inside": _listed(one)}
        for name, one in inside
    ]
