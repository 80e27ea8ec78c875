"""What is left to do: routes without traffic, traffic without a route, requests that still go to the monolith. Pure."""

from collections.abc import Iterable
from typing import Any

from strangler_gateway.migration.journal.journal_entry import iso
from strangler_gateway.table.routes import RouteTable
from strangler_gateway.telemetry.stats import RouteStats, Stats
from strangler_gateway.telemetry.user_sketch import united

DAY_S = 86_400.0

View = dict[str, Any]


def inventory(table: RouteTable, stats: Stats) -> View:
    """JSON-able. Requests count from `since`; users from `users_since`, because a restart loses the sketches."""
    counts = {route.id: stats.route(route.id) for route in table.routes}
    now = stats.wall()
    return {
        "since": iso(stats.since),
        "users_since": iso(stats.started),
        "total": _share(counts.values()),
        "routes": [
            {
                "id": route.id,
                "methods": sorted(method.decode() for method in route.methods) if route.methods else None,
                "path": route.path,
                "unit": route.movable.name,
                "state": str(route.movable.state),
                **_share((counts[route.id],)),
                **_last(counts[route.id], now),
            }
            for route in table.routes
        ],
        "without_traffic": [
            route.id for route in table.routes if not route.undeclared and not _asked(counts[route.id])
        ],
        "undeclared": [
            {"shape": shape, "requests": n} for shape, n in sorted(stats.undeclared.items(), key=lambda one: -one[1])
        ],
    }


def _share(counts: Iterable[RouteStats]) -> View:
    """Requests and users by side; `share`: per cent of the requests that went to services."""
    counts = list(counts)
    legacy, extracted = sum(one.legacy for one in counts), sum(one.extracted for one in counts)
    total = legacy + extracted
    return {
        "requests": {"legacy": legacy, "extracted": extracted},
        "users": {
            "legacy": united(one.users_legacy for one in counts if one.users_legacy is not None),
            "extracted": united(one.users_extracted for one in counts if one.users_extracted is not None),
        },
        "share": round(100 * extracted / total, 2) if total else None,
    }


def _last(counts: RouteStats, now: float) -> View:
    at = counts.last_legacy_at
    return {
        "last_legacy_at": iso(at) if at else None,
        "days_since_legacy": round(max(now - at, 0.0) / DAY_S, 1) if at else None,
    }


def _asked(counts: RouteStats) -> bool:
    return bool(counts.legacy or counts.extracted or counts.own_replies)
