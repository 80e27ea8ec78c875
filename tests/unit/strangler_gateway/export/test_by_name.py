"""HTTPRoutes and Consul's entries: read as their specifications say, they send requests where the gateway would."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from strangler_gateway.config.file import load
from strangler_gateway.export.given import service_at
from strangler_gateway.export.rules import ExportOptions, ExportRefused
from strangler_gateway.export.targets import ExportedTable, export
from strangler_gateway.steps.explain import explain
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.position import Position, placed
from strangler_gateway.table.routes import MigrationState, PathRules, Rewrite, Route, RouteTable
from tests.export.spellings import Spelled, spelled

ROOT = Path(__file__).parents[4]
GATEWAY = ExportOptions(gateway=service_at("strangler-gateway", "http://gateway:8080"))
Json = dict[str, Any]


def table(state: str = "extracted", share: float = 0, rules: PathRules | None = None) -> RouteTable:
    found = load((ROOT / "routes.yaml").read_text(), {})
    position = Position(MigrationState(state), round(share * 100))
    moved = found.with_movables({name: placed(one, position) for name, one in found.movables.items()})
    return replace(moved, paths=rules or moved.paths)


def requests(of: RouteTable) -> Iterator[Spelled]:
    yield Spelled("GET", "/item/bought/quantity")
    for route in of.routes:
        yield from (one for one in spelled(route.path, route.methods) if one.target.startswith("/"))


def left(made: ExportedTable) -> set[str]:
    """Routes that stay with the gateway."""
    return {where for one in made.missing if one.code == "needs_gateway" for where in one.where}


def differing(of: RouteTable, made: ExportedTable, taken: Callable[[Spelled], str]) -> set[tuple[str, str]]:
    """(request and its route, what the target takes) of all requests that the gateway would send elsewhere."""
    matcher, found, stays = Matcher(of), set(), left(made)
    for request in requests(of):
        one = explain(matcher, request.routed_method, request.target)
        right = one.service.name if one.service and one.route.id not in stays else "strangler-gateway"
        if taken(request) != right:
            found.add((f"{request.method} {request.target} {one.route.id}", taken(request)))
    return found


# --- HTTPRoute ---


def matches(routes: ExportedTable) -> list[tuple[Json, Json]]:
    """(match, rule) by the precedence of the API; of expressions the longest first, as Envoy Gateway has it."""
    order = {"Exact": 0, "RegularExpression": 1, "PathPrefix": 2}
    named = sorted(routes.documents, key=lambda one: one["metadata"]["name"])
    every = [(match, rule) for one in named for rule in one["spec"]["rules"] for match in rule["matches"]]

    def rank(pair: tuple[Json, Json]) -> tuple[int, int, bool, int]:
        match = pair[0]
        path = match["path"]
        return order[path["type"]], -len(path["value"]), "method" not in match, -len(match.get("headers", ()))

    return sorted(every, key=rank)


def takes(match: Json, request: Spelled) -> bool:
    kind, value, path = match["path"]["type"], match["path"]["value"], request.target.partition("?")[0]
    if kind == "PathPrefix":
        assert value == "/"
        fits = True
    else:
        fits = path == value if kind == "Exact" else re.fullmatch(value, path) is not None
    asked = [header["value"] for header in match.get("headers", ())]
    return (
        fits and match.get("method", request.method) == request.method and all(one == request.asks_for for one in asked)
    )


def backend(routes: ExportedTable) -> Callable[[Spelled], str]:
    ordered = matches(routes)

    def taken(request: Spelled) -> str:
        rule = next(rule for match, rule in ordered if takes(match, request))
        (ref,) = rule["backendRefs"]
        return str(ref["name"])

    return taken


@pytest.mark.parametrize("rules", [None, PathRules()], ids=["as Express", "strict"])
@pytest.mark.parametrize("state", ["legacy", "extracted", "retired"])
def test_an_httproute_decides_as_the_gateway(state: str, rules: PathRules | None) -> None:
    of = table(state, rules=rules)
    found = export("httproute", of, GATEWAY)
    (order,) = [one for one in found.missing if one.code == "order"]
    assert order.where == ("item-bought over item-quantity-read",)
    # both end at the same service
    assert differing(of, found, backend(found)) == set()


@pytest.mark.parametrize("rules", [PathRules(), PathRules(decode_literals=True)], ids=["strict", "decoded"])
def test_of_two_expressions_the_one_that_wins_is_the_longer(rules: PathRules) -> None:
    urls = dict.fromkeys(("OLD_URL", "NEW_URL", "DEFAULT_URL"), "http://10.0.0.1:1")
    of = replace(load((ROOT / "tests/export/hostile.yaml").read_text(), urls), paths=rules)
    found = export("httproute", of, GATEWAY)
    where = {one.code: one.where for one in found.missing}
    assert "include over hostnames" in where["order"]
    assert where["options"] == ("options",)
    assert [one for one, _ in differing(of, found, backend(found)) if not one.startswith("OPTIONS ")] == []


def test_httproutes_keep_the_limits_of_the_api() -> None:
    whole = table("canary", 12.5)
    many = tuple(
        replace(route, id=f"r{at}-{route.id}", path=f"/v{at}{route.path}") for at in range(9) for route in whole.routes
    )
    last = whole.routes[-1]
    found = export("httproute", replace(whole, routes=(*many, last)), GATEWAY).documents
    assert len(found) > 9
    names = [one["metadata"]["name"] for one in found]
    assert names == sorted(set(names))
    for one in found:
        rules = one["spec"]["rules"]
        assert 1 <= len(rules) <= 16
        assert sum(len(rule["matches"]) for rule in rules) <= 128
        assert all(1 <= len(rule["matches"]) <= 64 for rule in rules)
        for rule in rules:
            filters = rule.get("filters", []) + [each for ref in rule["backendRefs"] for each in ref.get("filters", [])]
            modified = [each["requestHeaderModifier"]["remove"] for each in filters if "requestHeaderModifier" in each]
            assert all(len(names) <= 16 and len(set(names)) == len(names) for names in modified)
            assert rule["timeouts"] == {"request": "0s"}
            assert sum(ref["weight"] for ref in rule["backendRefs"]) == 10_000


def test_a_share_is_a_weight_and_whole_paths_are_replaced() -> None:
    canary = export("httproute", table("canary", 12.5), GATEWAY)
    split = next(rule for _, rule in matches(canary) if len(rule["backendRefs"]) == 2)
    assert [ref["weight"] for ref in split["backendRefs"]] == [1250, 8750]
    rules = [rule for _, rule in matches(export("httproute", table(), GATEWAY))]
    replaced = [each["urlRewrite"]["path"] for rule in rules for each in rule["filters"] if "urlRewrite" in each]
    assert {"type": "ReplaceFullPath", "replaceFullPath": "/platform/health"} in replaced
    assert {each["type"] for each in replaced} == {"ReplaceFullPath"}


def test_paths_that_controllers_replace_differently_stay_with_the_gateway() -> None:
    assert left(export("httproute", table("legacy"), GATEWAY)) == set()
    prefix = left(export("httproute", table(), GATEWAY))
    assert "everything-else" in prefix
    assert not {"health", "metrics"} & prefix
    assert {"everything-else", "health", "metrics"} <= left(export("httproute", table("canary", 50), GATEWAY))
    same = replace(table(), routes=tuple(map(goes_on_as_sent, table().routes)))
    assert "everything-else" not in left(export("httproute", same, GATEWAY))


def goes_on_as_sent(route: Route) -> Route:
    return replace(route, rewrite=Rewrite(extracted="/{rest...}")) if route.id == "everything-else" else route


# --- Consul ---


def destination(made: ExportedTable) -> Callable[[Spelled], str]:
    router = made.documents[-1]
    assert (router["Kind"], router["Name"]) == ("service-router", "strangler")

    def fits(http: Json, request: Spelled) -> bool:
        path = request.target.partition("?")[0]
        if "PathRegex" in http:
            taken = re.fullmatch(http["PathRegex"], path) is not None
        else:
            taken = http.get("PathExact", path) == path
        if request.method not in http.get("Methods", [request.method]):
            return False
        (header,) = http.get("Header", [{}])
        if "Invert" in header:
            return taken and request.asks_for is None
        return taken and ("Regex" not in header or re.fullmatch(header["Regex"], request.asks_for or "") is not None)

    def taken(request: Spelled) -> str:
        return next(
            str(one["Destination"]["Service"]) for one in router["Routes"] if fits(one["Match"]["HTTP"], request)
        )

    return taken


@pytest.mark.parametrize("state", ["legacy", "extracted"])
def test_a_service_router_decides_as_the_gateway(state: str) -> None:
    of = table(state)
    made = export("consul", of, GATEWAY)
    assert left(made) >= ({"health", "metrics"} if state == "extracted" else set())
    assert differing(of, made, destination(made)) == set()
    allowed = {one["Destination"]["RequestTimeout"] for one in made.documents[-1]["Routes"]}
    assert allowed == ({"300s"} if state == "legacy" else {"60s", "75s", "300s"})


def test_a_splitter_stands_for_each_share() -> None:
    made = export("consul", table("canary", 12.5), GATEWAY)
    splitters = [one for one in made.documents if one["Kind"] == "service-splitter"]
    assert all([split["Weight"] for split in one["Splits"]] == [12.5, 87.5] for one in splitters)
    split = {split["Service"] for one in splitters for split in one["Splits"]}
    assert split == {"shop", "account", "learning", "monolith"}
    named = {one["Name"] for one in made.documents if one["Kind"] == "service-defaults"}
    routes = made.documents[-1]["Routes"]
    assert {one["Destination"]["Service"] for one in routes} <= named
    assert made.text.count('Kind = "service-splitter"') == len(splitters)


@pytest.mark.parametrize(
    ("target", "of", "options", "says"),
    [
        ("consul", table(), ExportOptions(), "/health"),
        ("httproute", table(), ExportOptions(), "everything-else"),
        ("httproute", table("legacy"), ExportOptions(authority=GATEWAY.gateway), "SecurityPolicy"),
        ("consul", table("legacy"), ExportOptions(authority=GATEWAY.gateway), "ext-authz"),
    ],
)
def test_what_cannot_be_said_is_refused(target: str, of: RouteTable, options: ExportOptions, says: str) -> None:
    with pytest.raises(ExportRefused, match=says):
        export(target, of, options)
