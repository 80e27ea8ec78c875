"""Whether services are ready: a GET of `health:`, or only a TCP connection where the file names none."""

import asyncio
import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from chassis.discovery.port import Instance
from chassis.error_reason import reason
from chassis.service.readiness import UnservedRoute, read, shape
from strangler_gateway.exchange.errors import UpstreamError
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import Route, RouteTable, Service, authority_of
from strangler_gateway.upstream.balancing.balancer import instances_of
from strangler_gateway.upstream.fetch import FetchedResponse
from strangler_gateway.upstream.health_checks import MAX_ANSWER, ask_health, asking

CONNECT_TIMEOUT_S = 2.0
"""Without `health:`."""


@dataclass(frozen=True, slots=True)
class InstanceReadiness:
    """`problem` None: it is ready, except for the routes in `unserved`."""

    instance: Instance
    problem: str | None = None
    reachable: bool = True
    """Whether it accepted a connection."""
    unserved: tuple[UnservedRoute, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceReadiness:
    """`problem` None: at least one instance is ready, and takes what the others do not."""

    service: Service
    problem: str | None = None
    reachable: bool = True
    unserved: tuple[UnservedRoute, ...] = ()
    """Of any instance that is ready: it would get such requests, too."""
    instances: tuple[InstanceReadiness, ...] = ()


async def ask(service: Service, instances: Sequence[Instance] | None = None) -> ServiceReadiness:
    """Asks all its instances (those of routes.yaml), each on a connection of its own. Never raises."""
    known = instances_of(service) if instances is None else instances
    found = await asyncio.gather(*(_ask(service, instance) for instance in known))
    ready = [one for one in found if one.problem is None]
    unserved = dict.fromkeys(route for one in ready for route in one.unserved)
    problem = None if ready else _problem(service, found)
    return ServiceReadiness(service, problem, any(one.reachable for one in found), tuple(unserved), tuple(found))


def _problem(service: Service, found: Sequence[InstanceReadiness]) -> str:
    if not found:
        return f"{service.name} has no instance"
    more = f" ({len(found)} instances, none of them ready)" if len(found) > 1 else ""
    return f"{found[0].problem}{more}"


async def _ask(service: Service, instance: Instance) -> InstanceReadiness:
    if service.health is None:
        problem = await _refused_connection(service, instance)
        return InstanceReadiness(instance, problem, reachable=problem is None)
    try:
        answer = await _fetched(service, instance, service.health)
    except TimeoutError:
        return _not_ready(service, instance, "it has not answered in time")
    except UpstreamError as exc:
        return _not_ready(service, instance, str(exc).rstrip("."), reachable=exc.stage != "connect")
    except (OSError, ValueError) as exc:
        return _not_ready(service, instance, str(exc))
    if not 200 <= answer.status <= 299:
        return _not_ready(service, instance, f"it answered {answer.status}, a 2xx is required")
    try:
        if answer.truncated:
            raise ValueError(f"it has more than {MAX_ANSWER} bytes")
        return InstanceReadiness(instance, unserved=read(answer.body))
    except ValueError as exc:
        return _not_ready(service, instance, f"its answer cannot be read: {exc}")


def place(service: Service, instance: Instance | None = None) -> str:
    """`http://127.0.0.1:8102/base`, `unix:/run/app.sock`; without an instance: of the first one, or `consul://items`."""
    if instance is None and service.discover:
        return service.discover
    socket = instance.unix if instance else service.unix
    if socket:
        return f"unix:{socket}" + (f":{service.base_path.decode()}" if service.base_path else "")
    authority = service.authority if instance is None else authority_of(service.scheme, instance.host, instance.port)
    return f"{service.scheme}://{authority.decode()}{service.base_path.decode()}"


def concerned(table: RouteTable, readiness: ServiceReadiness) -> Iterator[tuple[Route, UnservedRoute]]:
    """The routes of the table that end where the service serves nothing."""
    matcher, name = Matcher(table), readiness.service.name
    rewritten = [route for route in table.routes if _ends_at(route, name) and route.rewrite.extracted]
    for one in readiness.unserved:
        method = one.method.encode()
        route, _ = matcher.match(method, one.path.encode())
        if _ends_at(route, name) and not route.rewrite.extracted:
            yield route, one
        for route in rewritten:
            takes = route.methods is None or method in route.methods
            if takes and shape(route.rewrite.extracted or "") == shape(one.path):
                yield route, one


def _ends_at(route: Route, service: str) -> bool:
    return route.extracted is not None and route.extracted.name == service


async def _fetched(service: Service, instance: Instance, target: str) -> FetchedResponse:
    balancer = asking(service, instance)
    try:
        return await ask_health(balancer, target)
    finally:
        balancer.close()


def _not_ready(service: Service, instance: Instance, why: str, *, reachable: bool = True) -> InstanceReadiness:
    what = "is not ready" if reachable else "accepts no connection"
    problem = f"{service.name} ({place(service, instance)}) {what}: GET {service.health}: {why}"
    return InstanceReadiness(instance, problem, reachable)


async def _refused_connection(service: Service, instance: Instance) -> str | None:
    """Connects and closes, without a TLS handshake: a wrong certificate shows at the first request."""
    where = instance.unix or f"{instance.host}:{instance.port}"
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            if instance.unix:
                _, writer = await asyncio.open_unix_connection(instance.unix)
            else:
                _, writer = await asyncio.open_connection(instance.host, instance.port)
    except TimeoutError:
        return f"{service.name} ({where}) accepts no connection: no answer"
    except (OSError, ValueError) as exc:
        return f"{service.name} ({where}) accepts no connection: {reason(exc)}"
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return None
