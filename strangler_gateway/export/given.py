"""What the caller of an export says beside the table: addresses of services, and the states of a running gateway."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from strangler_gateway.config.addresses import origin
from strangler_gateway.table.position import Position, placed, position_of
from strangler_gateway.table.routes import MigrationState, RouteTable, Service


def service_at(name: str, url: str) -> Service:
    """A service of which nothing is known but its URL. Raises ValueError."""
    address = origin(url)
    return Service(name, address.scheme, address.host, address.port, address.unix, address.base_path.encode())


def with_addresses(table: RouteTable, urls: Mapping[str, str]) -> RouteTable:
    """The table with these services elsewhere. Raises ValueError, also for a service that it has not."""
    strange = urls.keys() - table.services.keys()
    if strange:
        known = ", ".join(sorted(table.services))
        raise ValueError(f"no service is called {', '.join(sorted(strange))}; known are {known}")
    moved = {name: _moved(table.services[name], url) for name, url in urls.items()}
    routes = tuple(
        replace(
            route,
            legacy=moved.get(route.legacy.name, route.legacy),
            extracted=moved.get(route.extracted.name, route.extracted) if route.extracted else None,
        )
        for route in table.routes
    )
    return replace(table, routes=routes, services={**table.services, **moved})


def _moved(service: Service, url: str) -> Service:
    given = service_at(service.name, url)
    return replace(
        service,
        scheme=given.scheme,
        host=given.host,
        port=given.port,
        unix=given.unix,
        base_path=given.base_path,
        instances=(),
        discover=None,
    )


def with_states(table: RouteTable, routes: list[Mapping[str, Any]] | None) -> RouteTable:
    """The table in the states that a gateway serves, as its admin API tells them by route; None: in its own states."""
    served = {str(route["unit"]): _position(route) for route in routes or [] if route["unit"] in table.movables}
    return table.with_movables(
        {name: placed(movable, served.get(name, position_of(movable))) for name, movable in table.movables.items()}
    )


def _position(route: Mapping[str, Any]) -> Position:
    """Outside canary the share is null."""
    return Position(MigrationState(route["state"]), round((route["share"] or 0) * 100))
