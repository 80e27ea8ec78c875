"""The migration as one picture: where every group stands, what goes where, what is wrong."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from strangler_gateway.migration.journal.journal_entry import iso
from strangler_gateway.migration.migration import Migration
from strangler_gateway.overview.pace import extracted_at, pace
from strangler_gateway.overview.ring import ALL, Ring
from strangler_gateway.overview.sampler import Sampler
from strangler_gateway.table.position import place, position_of
from strangler_gateway.table.routes import MigrationState, Movable, Route, RouteTable
from strangler_gateway.telemetry.stats import Stats

View = dict[str, Any]
NOW_S = 10.0
"""Requests per second are those of the last ten seconds."""
MAX_SHAPES = 10
MAX_ENTRIES = 5_000
_NO_GROUP = {"weeks": None, "says": "No group can move yet: no route in routes.yaml has a new end."}
_MOVED = (MigrationState.EXTRACTED, MigrationState.RETIRED)


class Overview:
    """Sums over all gateways that answer. `gateways` lists them (`GET /gateways`)."""

    def __init__(self, migration: Migration, sampler: Sampler, gateways: Callable[[], View]) -> None:
        self._migration, self._sampler, self._gateways = migration, sampler, gateways

    async def asked(self) -> View:
        """As it is now, and how long the rest may take."""
        await self._sampler.fresh()
        view = self.known()
        moved = extracted_at(self._migration.log(MAX_ENTRIES))
        here = [at for name, at in moved.items() if name in self._migration.served.movables]
        groups, left = view["totals"]["groups"], view["totals"]["groups"] - view["totals"]["extracted"]
        return view | {"pace": pace(here, left, self._sampler.counted.own.wall()) if groups else _NO_GROUP}

    def known(self) -> View:
        """As it was at the last sample; nobody is asked."""
        migration, table, recent = self._migration, self._migration.served, self._sampler.history.fine
        counted, gateways, routes = self._sampler.counted, self._gateways(), by_movable(table)
        rows = [row(migration, one, routes.get(name, ()), recent) for name, one in table.movables.items()]
        return {
            "problems": _problems(migration, gateways, counted.silent),
            "states": [_state(state, rows, counted.total, routes) for state in MigrationState],
            "totals": _totals(rows, recent),
            "groups": rows,
            "undeclared": _undeclared(counted.total),
            "gateways": gateways,
            "digest": table.digest,
        }


def by_movable(table: RouteTable) -> Mapping[str, Sequence[Route]]:
    """The routes that move together."""
    found: dict[str, list[Route]] = {}
    for route in table.routes:
        found.setdefault(route.movable.name, []).append(route)
    return found


def row(migration: Migration, movable: Movable, routes: Sequence[Route], recent: Ring) -> View:
    """One movable. Rates are those of the last NOW_S; None: nothing is known yet, or there was no request."""
    standing = migration.standings[movable.name]
    hold = standing.hold
    return {
        "name": movable.name,
        "kind": movable.kind,
        "routes": len(routes),
        "moves": any(route.has_new_end for route in routes),
        "share": None,
        **(place(position_of(movable)) or {}),
        "held": None if hold is None else {"who": hold.who, "why": hold.why, "at": iso(hold.since)},
        "moved_at": iso(standing.since) if standing.since else None,
        **_rates(recent, movable.name),
    }


def _rates(recent: Ring, name: str) -> View:
    seconds, now = recent.latest(name, NOW_S)
    return {
        "per_second": (now.legacy + now.new) / seconds if seconds else None,
        "new_part": _part(now.new, now.legacy + now.new),
        "failed_part": _part(now.failed_legacy + now.failed_new, now.legacy + now.new),
        "failed_legacy": _part(now.failed_legacy, now.legacy),
        "failed_new": _part(now.failed_new, now.new),
    }


def _problems(migration: Migration, gateways: Mapping[str, Any], silent: Sequence[str]) -> list[str]:
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
    return [*found, *(f"Its part is missing here: {sentence}" for sentence in silent)]


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


def _totals(rows: Sequence[View], recent: Ring) -> View:
    """What stays in the monolith for ever is no part of how far it is."""
    movable = [one for one in rows if one["moves"]]
    moved = [one for one in movable if one["state"] in _MOVED]
    return {
        "groups": len(movable),
        "extracted": len(moved),
        "routes": sum(int(one["routes"]) for one in movable),
        "routes_moved": sum(int(one["routes"]) for one in moved),
        "held": sum(one["held"] is not None for one in rows),
        **_rates(recent, ALL),
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
