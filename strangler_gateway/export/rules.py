"""The table as an ordered list: the first rule that takes a request says where it goes, by weights."""

from dataclasses import dataclass

from strangler_gateway.export.pattern import PathPattern, pattern, specificity
from strangler_gateway.table.position import WHOLE
from strangler_gateway.table.routes import MigrationState, Route, RouteTable, Service
from strangler_gateway.table.template import parse, shape

_LEFT_LEGACY = (MigrationState.CANARY, MigrationState.EXTRACTED, MigrationState.RETIRED)


class ExportRefused(ValueError):
    """The table cannot be exported in this form; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class ExportOptions:
    """`listen`: where the proxy listens. `gateway`: serves what no proxy can; `authority`: says who calls."""

    listen: tuple[str, int] = ("0.0.0.0", 8080)  # noqa: S104  # what it replaces is public, too
    gateway: Service | None = None
    authority: Service | None = None
    namespace: str = "default"
    parent: str = "public"


@dataclass(frozen=True, slots=True)
class WeightedEnd:
    """A service and its part of the requests, in basis points. `rewrite`: a template of the path, None: as sent."""

    service: Service
    weight: int
    rewrite: str | None = None
    is_new: bool = False

    @property
    def replaces_path(self) -> bool:
        return self.rewrite is not None or bool(self.service.base_path)

    @property
    def target(self) -> str:
        """The template of the path that the service gets; only where it replaces the path."""
        return self.service.base_path.decode() + (self.rewrite or "")


@dataclass(frozen=True, slots=True)
class ForwardRule:
    """`methods` None: every method; a preflight counts as the method that it asks for. No `ends`: nothing can serve it.

    The weights of `ends` add up to WHOLE.
    """

    route: Route
    methods: tuple[str, ...] | None
    path: PathPattern
    ends: tuple[WeightedEnd, ...]


def rules(table: RouteTable, options: ExportOptions) -> tuple[ForwardRule, ...]:
    """Every route, the most specific path first; at the same path those that name a method come first."""
    order = sorted(table.routes, key=lambda route: (specificity(route.path, table.paths), route.methods is None))
    return tuple(
        ForwardRule(route, _methods(route, table), pattern(route.path, table.paths), ends(route, options))
        for route in order
    )


def services(found: tuple[ForwardRule, ...]) -> dict[str, Service]:
    """Those that a rule leads to, by name."""
    return {end.service.name: end.service for rule in found for end in rule.ends}


def ends(route: Route, options: ExportOptions) -> tuple[WeightedEnd, ...]:
    """Where the requests of a route go as its movable stands."""
    share = extracted_share(route)
    legacy = WeightedEnd(route.legacy, WHOLE - share, route.rewrite.legacy)
    if not share:
        return (legacy,)
    if route.extracted is None:
        return _without_service(route, legacy, options)
    new = WeightedEnd(route.extracted, share, route.rewrite.extracted, is_new=True)
    return (new, legacy) if legacy.weight else (new,)


def _without_service(route: Route, legacy: WeightedEnd, options: ExportOptions) -> tuple[WeightedEnd, ...]:
    """Of a message or an aggregate: the gateway, which goes on deciding; without one the monolith while it is asked."""
    if options.gateway is not None:
        return (WeightedEnd(options.gateway, WHOLE),)
    if route.movable.state is MigrationState.CANARY:
        return (WeightedEnd(route.legacy, WHOLE, legacy.rewrite),)
    return ()


def extracted_share(route: Route) -> int:
    """Basis points of the requests that leave the monolith."""
    movable = route.movable
    if movable.state not in _LEFT_LEGACY or not route.has_new_end:
        return 0
    if movable.state is MigrationState.RETIRED:
        return WHOLE
    most = WHOLE - movable.kept_back
    return min(movable.share, most) if movable.state is MigrationState.CANARY else most


def _methods(route: Route, table: RouteTable) -> tuple[str, ...] | None:
    """GET implies HEAD, unless another route of the same path names it."""
    if route.methods is None:
        return None
    named = {method.decode() for method in route.methods}
    if "GET" in named and not any(_names_head(other, route, table) for other in table.routes):
        named.add("HEAD")
    return tuple(sorted(named))


def _names_head(other: Route, route: Route, table: RouteTable) -> bool:
    return other is not route and b"HEAD" in (other.methods or ()) and _shape(other, table) == _shape(route, table)


def _shape(route: Route, table: RouteTable) -> object:
    template = parse(route.path)
    return shape(template, table.paths), template.rest
