"""What a move is judged by: whether services answer, and what was counted since shadow began."""

import pytest

from chassis.service.readiness import UnservedRoute
from strangler_gateway.config.file import load
from strangler_gateway.migration.journal.journal_entry import Standing
from strangler_gateway.migration.rules import preflight
from strangler_gateway.migration.rules.move_rules import RouteEvidence
from strangler_gateway.migration.rules.preflight import evidence
from strangler_gateway.migration.rules.readiness import ServiceReadiness
from strangler_gateway.table.routes import RouteTable, Service
from strangler_gateway.table.rules.publish import PublishRules
from strangler_gateway.telemetry.stats import Stats
from tests.support.gateway.aggregating import AGGREGATE
from tests.support.gateway.migrating import ROUTES
from tests.support.gateway.publishing import PUBLISHING

TABLE = load(ROUTES, {})


def route_of(table: RouteTable, unit: str, standing: Standing, stats: Stats) -> RouteEvidence:
    [route] = evidence(table, table.movables[unit], standing, stats, lambda _: [{"n": 1}, {"n": 2}], 9.0).routes
    return route


def test_only_what_was_counted_since_shadow_began_counts_and_younger_counters_count_whole() -> None:
    stats = Stats(wall=lambda: 1.0)
    counts = stats.route("item-read")
    counts.legacy, counts.extracted, counts.shadow_compared, counts.shadow_different = 50, 10, 30, 4
    standing = Standing(baseline=preflight.baseline(TABLE, "items", stats), counted_from=2.0)
    counts.legacy, counts.shadow_compared, counts.shadow_different, counts.shadow_failed = 57, 33, 5, 1
    route = route_of(TABLE, "items", standing, stats)
    assert (route.requests, route.compared, route.different, route.failed) == (7, 3, 1, 1)
    assert route.example == {"n": 1}
    younger = Stats(wall=lambda: 5.0)
    younger.route("item-read").shadow_compared = 3
    assert route_of(TABLE, "items", standing, younger).compared == 3


@pytest.mark.parametrize(
    ("methods", "safe", "writes"),
    [
        ("methods: [GET], ", True, False),
        ("methods: [POST], ", False, True),
        ("methods: [GET, POST], ", True, True),
        ("methods: [OPTIONS, HEAD], ", True, False),
        ("", True, True),
    ],
)
def test_methods_tell_what_can_be_compared_and_what_writes(methods: str, safe: bool, writes: bool) -> None:
    table = load(ROUTES.replace('methods: [GET], path: "/search"', f'{methods}path: "/search"'), {})
    route = route_of(table, "search", Standing(), Stats())
    assert (route.safe, route.writes, route.shadowed, route.new_end) == (safe, writes, True, True)


async def test_services_and_the_broker_are_asked_each_for_its_own() -> None:
    async def absent(service: Service) -> ServiceReadiness:
        return ServiceReadiness(service, f"{service.name} is away", reachable=False)

    async def full(rules: PublishRules) -> str | None:
        return f"no {rules}"

    said = await preflight.unreachable(load(PUBLISHING, {}), "g", absent, full)
    assert [refusal.message for refusal in said] == [
        "s is away: start it, or check its `url:` in routes.yaml",
        "no message a.b.v1 to e",
    ]


@pytest.mark.parametrize(
    ("users", "asked"), [("legacy", "m"), ("shadow", "m"), ("canary", "sm"), ("extracted", "s"), ("retired", "s")]
)
async def test_for_an_aggregate_the_ends_of_its_calls_are_asked_as_their_group_stands(users: str, asked: str) -> None:
    seen = []

    async def probe(service: Service) -> ServiceReadiness:
        seen.append(service.name)
        return ServiceReadiness(service)

    async def unasked(rules: PublishRules) -> str | None:
        return str(rules)

    table = load(AGGREGATE, {"USERS": users})
    assert await preflight.unreachable(table, "overview", probe, unasked) == ()
    assert seen == [*asked]
    [route] = evidence(table, table.movables["overview"], Standing(), Stats(), lambda _: [], 9.0).routes
    assert (route.safe, route.writes, route.new_end) == (False, False, True)  # shadow cannot compare it


@pytest.mark.parametrize(("reachable", "code"), [(True, "not_ready"), (False, "unreachable")])
async def test_a_service_that_answers_and_is_not_ready_is_told_from_one_that_is_away(
    reachable: bool, code: str
) -> None:
    async def away(service: Service) -> ServiceReadiness:
        return ServiceReadiness(service, "away", reachable)

    async def unasked(rules: PublishRules) -> str | None:
        return str(rules)

    [refusal] = await preflight.unreachable(load(SERVED, {}), "search", away, unasked)
    assert (refusal.code, "`url:` and `health:`" in refusal.message) == (code, True)


SERVED = (
    ROUTES.replace(
        """    extracted: items
    shadow: {pure: true}
  - id: order""",
        """    extracted: items
    rewrite: {extracted: "/v2/things/{id}"}
  - id: order""",
    )
    .replace('8102"}', '8102", health: "/ready"}')
    .replace(
        "  - id: everything-else",
        """  - id: order-read
    group: orders
    match: {methods: [GET], path: "/order/{id}"}
    legacy: monolith
    extracted: items
  - id: everything-else""",
    )
)


@pytest.mark.parametrize(
    ("unit", "unserved", "refused"),
    [
        ("orders", ("POST /order",), ["POST /order (order-write)"]),
        (
            "orders",
            ("POST /order", "GET /order/{number}"),
            ["POST /order (order-write), GET /order/{number} (order-read)"],
        ),
        ("orders", ("GET /order", "DELETE /order", "POST /search", "GET /order/{id}/lines"), []),
        ("items", ("GET /v2/things/{key}",), ["GET /v2/things/{key} (item-read)"]),
        ("items", ("GET /item/{id}", "POST /v2/things/{id}", "POST /order"), []),
        ("search", ("GET /search",), ["GET /search (search)"]),
    ],
)
async def test_only_the_group_whose_routes_the_service_does_not_serve_is_refused(
    unit: str, unserved: tuple[str, ...], refused: list[str]
) -> None:
    async def partly(service: Service) -> ServiceReadiness:
        routes = tuple(UnservedRoute(method, path, "it has no broker") for method, path in map(str.split, unserved))
        return ServiceReadiness(service, unserved=routes)

    async def unasked(rules: PublishRules) -> str | None:
        return str(rules)

    said = await preflight.unreachable(load(SERVED, {}), unit, partly, unasked)
    assert [(one.code, one.forcible) for one in said] == [("unserved", True)] * len(refused)
    for refusal, names in zip(said, refused, strict=True):
        assert f"items (http://127.0.0.1:8102) does not serve {names} of {unit}: it has no broker" in refusal.message


def test_a_message_is_a_new_end_that_writes_and_a_new_route_has_nothing_to_compare() -> None:
    table = load(PUBLISHING, {})
    read, place = evidence(table, table.movables["g"], Standing(), Stats(), lambda _: [], 0.0).routes
    assert (place.new_end, place.safe, place.writes) == (True, False, True)
    assert (read.new_end, read.new, place.new) == (True, True, False)
    assert evidence(TABLE, TABLE.movables["orders"], Standing(), Stats(), lambda _: [], 0.0).data == "own"
