"""Whether services are ready: a GET of `health:`, or only a TCP connection where the file names none."""

import asyncio
import contextlib
from collections.abc import Iterator
from dataclasses import dataclass

from chassis.service.readiness import UnservedRoute, read, shape
from strangler_gateway.exchange.errors import UpstreamError
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import Route, RouteTable, Service
from strangler_gateway.upstream.balancer import Balancer
from strangler_gateway.upstream.fetch import FetchedResponse, fetch

CONNECT_TIMEOUT_S = 2.0
"""Without `health:`."""
MAX_TIMEOUT_S = 15.0
"""Of a `health:` whose service has a longer `timeout_s.connect`: a command waits for the answer."""
MAX_ANSWER = 256 * 1024
MAX_HEADER = 64 * 1024


@dataclass(frozen=True, slots=True)
class ServiceReadiness:
    """`problem` None: it is ready, except for the routes in `unserved`."""

    service: Service
    problem: str | None = None
    reachable: bool = True
    """Whether it accepted a connection."""
    unserved: tuple[UnservedRoute, ...] = ()


async def ask(service: Service) -> ServiceReadiness:
    """Asks on a connection of its own. Never raises."""
    if service.health is None:
        problem = await _refused_connection(service)
        return ServiceReadiness(service, problem, reachable=problem is None)
    try:
        answer = await _fetched(service, service.health)
    except TimeoutError:
        return _not_ready(service, "it has not answered in time")
    except UpstreamError as exc:
        return _not_ready(service, str(exc).rstrip("."), reachable=exc.stage != "connect")
    except (OSError, ValueError) as exc:
        return _not_ready(service, str(exc))
    if not 200 <= answer.status <= 299:
        return _not_ready(service, f"it answered {answer.status}, a 2xx is required")
    try:
        if answer.truncated:
            raise ValueError(f"it has more than {MAX_ANSWER} bytes")
        return ServiceReadiness(service, unserved=read(answer.body))
    except ValueError as exc:
        return _not_ready(service, f"its answer cannot be read: {exc}")


def place(service: Service) -> str:
    """`http://127.0.0.1:8102/base`, `unix:/run/app.sock`."""
    if service.unix:
        return f"unix:{service.unix}" + (f":{service.base_path.decode()}" if service.base_path else "")
    return f"{service.scheme}://{service.authority.decode()}{service.base_path.decode()}"


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


async def _fetched(service: Service, target: str) -> FetchedResponse:
    fields = [
        (b"Host", service.authority),
        (b"Accept", b"application/json"),
        (b"User-Agent", b"strangler"),
        (b"Connection", b"close"),
    ]
    balancer = Balancer(service, asyncio.get_running_loop().time, MAX_HEADER, WriteBatch())
    timeout_s = min(service.timeouts.connect, MAX_TIMEOUT_S)
    try:
        return await fetch(balancer, b"GET", target.encode(), fields, timeout_s=timeout_s, max_body=MAX_ANSWER)
    finally:
        balancer.close()


def _not_ready(service: Service, why: str, *, reachable: bool = True) -> ServiceReadiness:
    what = "is not ready" if reachable else "accepts no connection"
    problem = f"{service.name} ({place(service)}) {what}: GET {service.health}: {why}"
    return ServiceReadiness(service, problem, reachable)


async def _refused_connection(service: Service) -> str | None:
    """Connects and closes, without a TLS handshake: a wrong certificate shows at the first request."""
    where = service.unix or f"{service.host}:{service.port}"
    try:
        async with asyncio.timeout(CONNECT_TIMEOUT_S):
            if service.unix:
                _, writer = await asyncio.open_unix_connection(service.unix)
            else:
                _, writer = await asyncio.open_connection(service.host, service.port)
    except TimeoutError:
        return f"{service.name} ({where}) accepts no connection: no answer"
    except (OSError, ValueError) as exc:
        reason = getattr(exc, "strerror", None) or str(exc)
        return f"{service.name} ({where}) accepts no connection: {reason}"
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()
    return None
