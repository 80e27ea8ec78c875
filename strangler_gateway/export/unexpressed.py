"""What another proxy cannot do for a table, so that nobody finds out from users."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from strangler_gateway.export.rules import ExportOptions, extracted_share
from strangler_gateway.table.position import WHOLE
from strangler_gateway.table.routes import MigrationState, Movable, Route, RouteTable, Service
from strangler_gateway.table.rules.resilience import RetryRules


@dataclass(frozen=True, slots=True)
class Unexpressed:
    """Something that the gateway does and the target does not. `where`: movables, routes or services; none: all."""

    code: str
    sentence: str
    where: tuple[str, ...] = ()

    def __str__(self) -> str:
        of = f" [{', '.join(self.where)}]" if self.where else ""
        return f"{self.code}: {self.sentence}{of}"


def unexpressed(table: RouteTable, options: ExportOptions) -> tuple[Unexpressed, ...]:
    """What no target can do, as far as the table needs it."""
    return (*_of_movables(table), *_of_routes(table, options), *_of_services(table), *_of_all(table))


def _of_movables(table: RouteTable) -> Iterator[Unexpressed]:
    movables = list({route.movable.name: route.movable for route in table.routes}.values())
    for code, sentence, holds in _MOVABLES:
        if where := _named(movable.name for movable in movables if holds(movable)):
            yield Unexpressed(code, sentence, where)


def _in_canary(movable: Movable) -> bool:
    return movable.state is MigrationState.CANARY


def _is_served_anew(movable: Movable) -> bool:
    return movable.state in (MigrationState.CANARY, MigrationState.EXTRACTED)


_MOVABLES: Sequence[tuple[str, str, Callable[[Movable], bool]]] = (
    (
        "buckets",
        "a share of the users becomes a share of the requests; other users than before are on the new side, "
        "and without a credential a user may change sides from request to request",
        _in_canary,
    ),
    (
        "anonymous",
        "who is not logged in gets the same share; the gateway decides by `anonymous:`",
        _in_canary,
    ),
    ("failover", "a safe request that the service does not take is not sent to the monolith", _in_canary),
    (
        "holdback",
        "the users who are kept on legacy become a share of the requests",
        lambda one: one.kept_back > 0 and _is_served_anew(one),
    ),
    (
        "shadow",
        "no answer is compared; everything goes to the monolith",
        lambda one: one.state is MigrationState.SHADOW,
    ),
    (
        "serialize",
        "writes of one user are not sent one after the other",
        lambda one: one.serialize is not None and _is_served_anew(one),
    ),
    ("plan", "nothing moves or goes back by itself, and nothing watches a move", lambda one: one.plan is not None),
)


def _of_routes(table: RouteTable, options: ExportOptions) -> Iterator[Unexpressed]:
    for code, sentence, holds in (*_ROUTES, *(() if options.gateway else _WITHOUT_GATEWAY)):
        if where := _named(route.id for route in table.routes if holds(route)):
            yield Unexpressed(code, sentence, where)
    if options.authority is None:
        for code, sentence, holds in _WITHOUT_AUTHORITY:
            if where := _named(route.id for route in table.routes if holds(route)):
                yield Unexpressed(code, sentence, where)


def _is_forwarded_anew(route: Route) -> bool:
    return route.extracted is not None and extracted_share(route) > 0


def _is_own_end(route: Route) -> bool:
    return route.extracted is None and extracted_share(route) > 0


_ROUTES: Sequence[tuple[str, str, Callable[[Route], bool]]] = (
    ("limit", "no rate limit", lambda route: route.limit is not None),
    ("max_body", "bodies of any length are forwarded", lambda route: route.max_body is not None),
    (
        "ambiguous",
        "paths that routers read differently are not refused",
        lambda route: route.ambiguous == "reject",
    ),
    (
        "answers_of_rewrites",
        "Location and Set-Cookie of an answer are not mapped back to the path that the client knows",
        lambda route: bool(route.rewrite.legacy or route.rewrite.extracted),
    ),
    (
        "enforce",
        "the gateway's own refusals (`enforce: gateway`, `errors:`) are not made",
        lambda route: route.auth.enforce == "gateway" and _is_forwarded_anew(route),
    ),
)
_WITHOUT_AUTHORITY: Sequence[tuple[str, str, Callable[[Route], bool]]] = (
    (
        "internal_token",
        "the service gets the client's own credential instead of the gateway's token: it has to verify that itself, "
        "or --authority names who issues the token",
        _is_forwarded_anew,
    ),
    (
        "pass_on",
        "what the service is told beside the internal token is missing",
        lambda route: bool(route.auth.pass_on) and _is_forwarded_anew(route),
    ),
)
_WITHOUT_GATEWAY: Sequence[tuple[str, str, Callable[[Route], bool]]] = (
    (
        "publish",
        "no message is sent: in canary the monolith answers alone, from extracted on nobody does (501); "
        "--gateway leaves the route with a gateway",
        lambda route: route.publish is not None and _is_own_end(route),
    ),
    (
        "aggregate",
        "calls are not made: in canary the monolith answers alone, from extracted on nobody does (501); "
        "--gateway leaves the route with a gateway",
        lambda route: route.aggregate is not None and _is_own_end(route),
    ),
)


def _of_services(table: RouteTable) -> Iterator[Unexpressed]:
    used = {service.name: service for route in table.routes for service in _used(route)}
    for code, sentence, holds in _SERVICES:
        if where := _named(name for name, service in used.items() if holds(service)):
            yield Unexpressed(code, sentence, where)


def _used(route: Route) -> list[Service]:
    share = extracted_share(route)
    new = [route.extracted] if route.extracted is not None and share else []
    return new if share == WHOLE else [*new, route.legacy]


def _is_bounded(service: Service) -> bool:
    return service.max_concurrency is not None or service.breaker_rules.watches


_SERVICES: Sequence[tuple[str, str, Callable[[Service], bool]]] = (
    (
        "credentials",
        "the monolith gets a token of the identity server as it came, and does not know it",
        lambda service: service.credentials == "exchange",
    ),
    ("breaker", "no breaker, places or queue keep a service that hangs from its neighbours", _is_bounded),
    ("retry", "no retry budget", lambda service: service.retry != RetryRules()),
    (
        "instances",
        "instances are chosen by the target's own rules: no slow start, ejection or health checks of ours",
        lambda service: bool(service.instances or service.health_interval_s),
    ),
    (
        "identity_headers",
        "`identity_headers:` of the service does not hold: the new side gets no built-in name, the monolith all",
        lambda service: service.identity_headers is not None,
    ),
)


def _of_all(table: RouteTable) -> Iterator[Unexpressed]:
    yield Unexpressed(
        "deciding",
        "`strangler flip` and `rollback` have no effect here: a move is a new export; no journal, gate, evidence, "
        "override, recording or count by side",
    )
    if table.reflects_origin:
        yield Unexpressed("cors", "a page of another origin cannot read the answers that the target makes itself")
    if table.trusted_proxies:
        yield Unexpressed("trusted_proxies", "set up whom the target believes about the client's address")


def _named(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))
