"""The exported list: its first rule that takes a request is the gateway's route, whatever the table."""

import re
from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from strangler_gateway.export.pattern import regex
from strangler_gateway.export.rules import ExportOptions, ForwardRule, extracted_share, rules
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.position import Position, placed
from strangler_gateway.table.routes import MigrationState, Movable, PathRules, Route, RouteTable, Service
from strangler_gateway.table.template import parse, shape
from tests.support.effort import examples

OLD, NEW = Service("old", "http", "old", 80), Service("new", "http", "new", 80)
GROUP = Movable("group", "group")
SEGMENTS = st.sampled_from(["a", "B", "%61", "a.b", "x+", "{one}", "{two}"])
PATHS = st.tuples(st.lists(SEGMENTS, max_size=3, unique=True), st.sampled_from(["", "/", "/{rest...}"])).map(
    lambda drawn: "/" + "/".join(drawn[0]) + drawn[1].removeprefix("/" if not drawn[0] else "")
)
METHODS = st.one_of(st.none(), st.frozensets(st.sampled_from([b"GET", b"HEAD", b"POST", b"OPTIONS"]), min_size=1))
REQUESTS = st.lists(st.sampled_from(["a", "A", "b", "%61", "%41", "a.b", "aXb", "x+", "xx", "", "z"]), max_size=4)
PATH_RULES = st.builds(PathRules, st.booleans(), st.sampled_from(["strict", "ignore"]), st.booleans())


def table(routes: list[tuple[str, frozenset[bytes] | None]], path_rules: PathRules) -> RouteTable:
    """Without what `strangler check` refuses: routes that another one hides."""
    kept: list[Route] = []
    seen: set[object] = {((), True, None)}
    for path, methods in routes:
        template = parse(path)
        keys = {(shape(template, path_rules), template.rest, method) for method in methods or (None,)}
        if not keys & seen:
            seen |= keys
            kept.append(Route(str(len(kept)), path, methods, GROUP, OLD, NEW, template.variables))
    last = Route("last", "/{rest...}", None, GROUP, OLD, None, ("rest",), undeclared=True)
    return RouteTable("", (*kept, last), {"old": OLD, "new": NEW}, {"group": GROUP}, path_rules)


def takes(rule: ForwardRule, method: str, path: str, path_rules: PathRules) -> bool:
    text = ".*" if rule.path.kind == "prefix" else regex(rule.route.path, path_rules)
    if rule.path.kind == "exact":
        assert re.fullmatch(text, rule.path.text)
    return (rule.methods is None or method in rule.methods) and re.fullmatch(text, path) is not None


@given(st.lists(st.tuples(PATHS, METHODS), max_size=6), PATH_RULES, st.lists(REQUESTS, min_size=1, max_size=8))
@example([("/{one}/b", None), ("/a/{two}", None)], PathRules(), [["a", "b"]])
@example([("/a", frozenset({b"GET"})), ("/A", frozenset({b"HEAD"}))], PathRules(case_sensitive=False), [["a"]])
@example([("/{rest...}", frozenset({b"POST"})), ("/a/", None)], PathRules(trailing_slash="ignore"), [["a"], ["a", ""]])
@settings(max_examples=examples(400), deadline=None)
def test_the_first_rule_that_takes_a_request_is_the_route_of_the_matcher(
    routes: list[tuple[str, frozenset[bytes] | None]], path_rules: PathRules, requests: list[list[str]]
) -> None:
    whole = table(routes, path_rules)
    matcher, found = Matcher(whole), rules(whole, ExportOptions())
    for path in ("/" + "/".join(segments) for segments in requests):
        for method in ("GET", "HEAD", "POST", "OPTIONS", "PUT"):
            first = next(rule for rule in found if takes(rule, method, path, path_rules))
            assert first.route.id == matcher.match(method.encode(), path.encode())[0].id, (method, path)


def test_shares_by_state() -> None:
    route = Route("r", "/a", None, GROUP, OLD, NEW)

    def share(state: MigrationState, percent: int = 0, kept_back: int = 0) -> int:
        movable = placed(GROUP, Position(state, percent * 100))
        return extracted_share(replace(route, movable=replace(movable, kept_back=kept_back)))

    assert [share(state) for state in MigrationState] == [0, 0, 0, 10_000, 10_000]
    assert share(MigrationState.CANARY, 25) == 2500
    assert share(MigrationState.CANARY, 99, kept_back=200) == 9800
    assert share(MigrationState.EXTRACTED, kept_back=100) == 9900
    assert share(MigrationState.RETIRED, kept_back=100) == 10_000
    assert extracted_share(replace(route, extracted=None, movable=placed(GROUP, Position(MigrationState.RETIRED)))) == 0
