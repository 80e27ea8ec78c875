"""What is a bound of the whole gateway, divided among its workers. Pure."""

from dataclasses import replace

from strangler_gateway.settings import Settings
from strangler_gateway.table.routes import Route, RouteTable, Service


def divided_settings(settings: Settings, workers: int) -> Settings:
    """Each worker's part of the clients, and of the requests that wait for a message's result."""
    parts = {name: _part(getattr(settings, name), workers) for name in ("max_connections", "max_waiting")}
    return settings.model_copy(update=parts)


def divided_table(table: RouteTable, workers: int) -> RouteTable:
    """The same table, with each worker's part of connections to services and of comparisons; its digest stays."""
    services = {name: _service(service, workers) for name, service in table.services.items()}
    routes = tuple(_route(route, services, workers) for route in table.routes)
    return replace(table, services=services, routes=routes)


def _service(service: Service, workers: int) -> Service:
    queue = service.queue
    return replace(
        service,
        max_connections=_part(service.max_connections, workers),
        max_concurrency=None if service.max_concurrency is None else _part(service.max_concurrency, workers),
        queue=replace(queue, max=_part(service.queue_max, workers)),
    )


def _route(route: Route, services: dict[str, Service], workers: int) -> Route:
    shadow = route.shadow
    return replace(
        route,
        legacy=services[route.legacy.name],
        extracted=services[route.extracted.name] if route.extracted else None,
        shadow=replace(shadow, concurrency=_part(shadow.concurrency, workers)) if shadow else None,
    )


def _part(whole: int, workers: int) -> int:
    """Rounded up: no worker goes without."""
    return -(-whole // workers)
