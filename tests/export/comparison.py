"""Sends requests in every spelling to a proxy on an exported table, and compares with what the gateway decides."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property

from parts.ports import free_port
from strangler_gateway.config.file import load
from strangler_gateway.export.given import service_at
from strangler_gateway.export.own_names import IDENTITY, OWN_NAMES
from strangler_gateway.export.rules import ExportOptions
from strangler_gateway.export.targets import ExportedTable, export
from strangler_gateway.steps.explain import Explanation, explain
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.position import Position, placed
from strangler_gateway.table.routes import MigrationState, PathRules, RouteTable, Side
from tests.export.spellings import Spelled, spelled
from tests.support.exported import Answered, StandIn, ask

STANDS = ("monolith", "shop", "account", "learning", "old", "new", "default", "gateway")
Decided = tuple[str, str]
"""A service, and the target that it gets."""
Share = Counter[str]
"""Of a route: how often each service answered."""
ALL = "all routes"
"""Stands for a route where their shares are added up."""


@dataclass(frozen=True)
class Exported:
    """A table that a proxy serves at `port`. `stands`: the stand-ins, by service."""

    table: RouteTable
    port: int
    result: ExportedTable
    stands: Mapping[str, StandIn]
    shares: dict[str, Share] = field(default_factory=dict)
    """By route; only of requests that can be answered on two sides."""

    @property
    def named(self) -> set[str]:
        """The codes of what the target cannot do."""
        return {one.code for one in self.result.missing}

    @cached_property
    def left(self) -> set[str]:
        """The routes that stay with a gateway."""
        return {route for one in self.result.missing if one.code == "needs_gateway" for route in one.where}

    @cached_property
    def matchers(self) -> tuple[Matcher, ...]:
        """One for each place that a request may be decided in: users of a canary are in one of two."""
        canary = any(one.state is MigrationState.CANARY for one in self.table.movables.values())
        sides = (MigrationState.EXTRACTED, MigrationState.LEGACY)
        return tuple(Matcher(_all_at(self.table, Position(one))) for one in sides) if canary else (Matcher(self.table),)

    def ask(self, request: Spelled) -> Answered:
        return ask(self.port, request.method, request.target, *request.fields)

    def count(self, route: str, decided: set[Decided], answered: Answered) -> None:
        if len({service for service, _ in decided}) == 2:
            self.shares.setdefault(route, Counter())[str(answered.service)] += 1
            side = "legacy" if answered.service == "monolith" else "new"
            self.shares.setdefault(ALL, Counter())[side] += 1


def _all_at(table: RouteTable, position: Position) -> RouteTable:
    return table.with_movables({name: placed(one, position) for name, one in table.movables.items()})


@contextmanager
def exported(target: str, text: str, position: Position | None, rules: PathRules | None = None) -> Iterator[Exported]:
    """The text for the target, with stand-ins for each service of the file and one for a gateway; nothing serves it."""
    with ExitStack() as stack:
        stands = {name: stack.enter_context(StandIn(name)) for name in STANDS}
        table = load(text, {f"{name.upper()}_URL": stand.url for name, stand in stands.items()})
        table = replace(table, paths=rules or table.paths)
        table = table if position is None else _all_at(table, position)
        port = free_port()
        options = ExportOptions(listen=("127.0.0.1", port), gateway=service_at("gateway", stands["gateway"].url))
        yield Exported(table, port, export(target, table, options), stands)


def decided(system: Exported, request: Spelled) -> set[Decided]:
    """Where the gateway would send the request; in a canary one of two. What no proxy can do stays with the gateway."""
    found = [_explained(matcher, request) for matcher in system.matchers]
    if found[0].route.id in system.left:
        return {("gateway", origin_form(request.target))}
    return {_wanted(one, request) for one in found}


def _wanted(one: Explanation, request: Spelled) -> Decided:
    assert one.service is not None, one
    path, mark, query = origin_form(request.target).partition("?")
    template = one.route.rewrite.extracted if one.side is Side.EXTRACTED else one.route.rewrite.legacy
    values = dict(one.variables)
    if template is not None:
        path = re.sub(r"\{(\w+)(?:\.\.\.)?\}", lambda found: values[found[1]], template)
    return one.service.name, one.service.base_path.decode() + path + mark + query


def origin_form(target: str) -> str:
    """Of an absolute target."""
    return re.sub("^http://[^/]*", "", target)


def _explained(matcher: Matcher, request: Spelled) -> Explanation:
    # explain takes text; the bytes of a raw target are those of latin-1 here, and no route has such a literal
    return explain(matcher, request.routed_method, origin_form(request.target))


Differing = list[tuple[Spelled, Answered, object]]


def differing(
    system: Exported, refused: Mapping[str, int], sent: Callable[[Spelled], Spelled] = lambda request: request
) -> Differing:
    """Requests that are not answered as the gateway decides, or not refused as the report says.

    `sent`: the request that the proxy makes of one, where its report says that it changes targets.
    """
    found: Differing = []
    for route in system.table.routes:
        for request in sorted({*spelled(route.path, route.methods), Spelled("OPTIONS", "*", sort="asterisk")}, key=str):
            answered = system.ask(request)
            if request.sort in refused:
                right: object = refused[request.sort]
                is_right = (answered.status, answered.service) == (right, None)
            else:
                ways = decided(system, sent(request))
                right, is_right = ways, (answered.service, answered.target) in ways
                system.count(route.id, ways, answered)
            if not is_right:
                found.append((request, answered, right))
    return found


def removed(system: Exported) -> dict[str, set[str]]:
    """By service of a canary: the fields that are removed from a client's request, which has all of them."""
    sent = {*OWN_NAMES, *IDENTITY}
    found: dict[str, set[str]] = {}
    for user in range(200):
        fields = (f"Authorization: {user}", *(f"{name}: anybody" for name in sent))
        answered = ask(system.port, "GET", "/item/7", *fields)
        found.setdefault(str(answered.service), {*sent}).intersection_update(sent - answered.fields)
    return found


REMOVED = {"monolith": {*OWN_NAMES}, "shop": {*OWN_NAMES, *IDENTITY}}
"""By service, in a canary: nobody outside may say who calls the new side."""


def unlikely_shares(shares: Mapping[str, Share]) -> list[tuple[str, Share]]:
    """At a share of half: routes that one side alone answers, or one six standard deviations too often."""
    return [
        (route, share)
        for route, share in shares.items()
        if len(share) < 2 or abs(max(share.values()) - share.total() / 2) > 6 * (share.total() / 4) ** 0.5
    ]
