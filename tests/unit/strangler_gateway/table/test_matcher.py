"""Matching: most specific wins, spellings as the monolith's router takes them, hostile paths never raise."""

import re
import time
from collections.abc import Callable

import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from strangler_gateway.config.file import load
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import PathRules, Route
from tests.support.effort import examples

Declared = list[tuple[list[str] | None, str]]
"""(methods, path) of each route but the last; the route's id is its position."""

EXPRESS = "{case_sensitive: false, trailing_slash: ignore, decode_literals: false}"
STRICT = "{}"
LAST = "last"


def matcher(declared: Declared, paths: str = STRICT) -> Matcher:
    lines = ["version: 1", f"paths: {paths}", "services: {m: {url: 'http://m'}}", "routes:"]
    for at, (methods, path) in enumerate(declared):
        named = f"methods: [{', '.join(methods)}], " if methods else ""
        lines.append(f"- {{id: r{at}, match: {{{named}path: '{path}'}}, legacy: m}}")
    lines.append(f"- {{id: {LAST}, match: {{path: '/{{rest...}}'}}, legacy: m}}")
    return Matcher(load("\n".join(lines), {}))


def found(it: Matcher, path: bytes, method: bytes = b"GET") -> tuple[str, tuple[bytes, ...]]:
    route, variables = it.match(method, path)
    return route.id, variables


@pytest.mark.parametrize(
    ("declared", "path", "expected"),
    [
        (["/a/{x}", "/a/b"], b"/a/b", ("r1", ())),
        (["/a/{x}", "/a/{rest...}"], b"/a/b", ("r0", (b"b",))),
        (["/a/{x}", "/a/{rest...}"], b"/a/b/c", ("r1", (b"b/c",))),
        (["/a/{x}/c", "/{x}/b/d"], b"/a/b/d", ("r1", (b"a",))),
        (["/a/{rest...}", "/{x}/b"], b"/a/b", ("r0", (b"b",))),
        (["/a/b/{rest...}", "/a/{x}/c"], b"/a/b/c", ("r0", (b"c",))),
        (["/{x}/k/{rest...}"], b"/a/k/b/c", ("r0", (b"a", b"b/c"))),
        (["/a/{rest...}"], b"/a/", ("r0", (b"",))),
        (["/a/{rest...}"], b"/a", (LAST, (b"a",))),
        (["/a/{x}", "/a"], b"/a/", (LAST, (b"a/",))),
        (["/a/"], b"/a", (LAST, (b"a",))),
        (["/"], b"/", ("r0", ())),
        ([], b"*", (LAST, (b"*",))),
        (["/a"], b"//a", (LAST, (b"/a",))),
        (["/a/b", "/a"], b"/A", (LAST, (b"A",))),
        (["/a"], b"/%61", (LAST, (b"%61",))),
    ],
)
def test_the_most_specific_path_wins_segment_by_segment(
    declared: list[str], path: bytes, expected: tuple[str, tuple[bytes, ...]]
) -> None:
    assert found(matcher([(None, each) for each in declared]), path) == expected


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (b"/ITEM/", ("r0", ())),
        (b"/item//", (LAST, (b"item//",))),
        (b"/%69tem", (LAST, (b"%69tem",))),
        (b"/\xc4tem", (LAST, (b"\xc4tem",))),
        (b"/item%2F7", (LAST, (b"item%2F7",))),
        (b"/ITEM/aB%2f%41/", ("r1", (b"aB%2f%41",))),
        (b"/item/7//", (LAST, (b"item/7//",))),
        (b"/item/..", ("r1", (b"..",))),
        (b"/item/%zz", ("r1", (b"%zz",))),
        (b"/Files/X/y%20Z/", ("r2", (b"X/y%20Z/",))),
        (b"/Files/", ("r2", (b"",))),
        (b"/Files", (LAST, (b"Files",))),
    ],
)
def test_paths_are_compared_as_express_4_does_and_captured_as_sent(
    path: bytes, expected: tuple[str, tuple[bytes, ...]]
) -> None:
    it = matcher([(None, "/item"), (None, "/item/{id}"), (None, "/files/{rest...}")], EXPRESS)
    assert found(it, path) == expected


def test_decoded_literals_match_and_an_encoded_slash_stays_inside_its_segment() -> None:
    it = matcher([(None, "/item/{id}"), (None, "/a%2Fb")], "{decode_literals: true, case_sensitive: false}")
    assert found(it, b"/%69t%45m/%37") == ("r0", (b"%37",))
    assert found(it, b"/a%2fb") == ("r1", ())
    assert found(it, b"/a/b") == (LAST, (b"a/b",))


@pytest.mark.parametrize(
    ("declared", "by_method"),
    [
        (
            [(["GET"], "/a/b"), (["POST"], "/a/{x}"), (["PUT"], "/{rest...}")],
            {b"GET": "r0", b"HEAD": "r0", b"POST": "r1", b"PUT": "r2", b"PATCH": LAST},
        ),
        (
            [(None, "/a/{x}"), (["GET", "REPORT"], "/a/{y}")],
            {b"GET": "r1", b"HEAD": "r1", b"REPORT": "r1", b"BREW": "r0", b"get": "r0"},
        ),
        ([(["GET"], "/a/b"), (["HEAD"], "/a/b")], {b"GET": "r0", b"HEAD": "r1"}),
    ],
    ids=["a less specific path that names the method", "named beats every method", "HEAD named itself"],
)
def test_the_route_that_names_the_method_wins_and_head_follows_get(
    declared: Declared, by_method: dict[bytes, str]
) -> None:
    it = matcher(declared)
    assert {method: found(it, b"/a/b", method)[0] for method in by_method} == by_method


segments = st.sampled_from(["a", "b", "A", "%41", "a.b", "ab"])
pieces = st.one_of(segments, st.sampled_from(["{x}", "{y}", "{z}"]))
methods = st.one_of(st.none(), st.lists(st.sampled_from(["GET", "POST", "HEAD"]), min_size=1, max_size=2, unique=True))


@st.composite
def templates(draw: st.DrawFn) -> str:
    chosen = draw(st.lists(pieces, max_size=4, unique_by=lambda piece: piece if piece.startswith("{") else object()))
    end = draw(st.sampled_from(["", "", "/", "/{rest...}"]))
    return "".join("/" + piece for piece in chosen) + end or "/"


@st.composite
def tables(draw: st.DrawFn) -> Matcher:
    rules = draw(st.builds(PathRules, st.booleans(), st.sampled_from(["strict", "ignore"]), st.booleans()))
    candidates = draw(st.lists(st.tuples(methods, templates()), max_size=12))
    kept: Declared = []
    taken: set[tuple[str | None, tuple[str, ...]]] = {(None, ("rest",))}
    for named, path in candidates:
        same = same_paths(path, rules)
        keys = {(method, same) for method in named} if named else {(None, same)}
        if not keys & taken:
            taken |= keys
            kept.append((named, path))
    paths = (
        f"{{case_sensitive: {str(rules.case_sensitive).lower()}, trailing_slash: {rules.trailing_slash}, "
        f"decode_literals: {str(rules.decode_literals).lower()}}}"
    )
    return matcher(kept, paths)


def same_paths(path: str, rules: PathRules) -> tuple[str, ...]:
    """Two paths of routes.yaml that are equal here take the same requests."""
    if rules.trailing_slash == "ignore" and path.endswith("/"):
        path = path[:-1]
    if rules.decode_literals:
        path = path.replace("%41", "A")
    kinds = ["rest" if "..." in piece else "{}" if "{" in piece else piece for piece in path.split("/")[1:]]
    return tuple(kinds if rules.case_sensitive else [kind.lower() for kind in kinds])


def expression(route: Route, rules: PathRules) -> re.Pattern[bytes]:
    """The route's path as a regular expression over the raw path, as path-to-regexp 0.1 makes it."""
    path = route.path
    if rules.trailing_slash == "ignore" and path.endswith("/"):
        path = path[:-1]
    slash = "/?" if rules.trailing_slash == "ignore" and not path.endswith("...}") else ""
    escaped = re.escape(path).replace("\\{rest\\.\\.\\.\\}", "(.*)")
    escaped = re.sub(r"\\\{[a-z]\\\}", "([^/]+)", escaped)
    if rules.decode_literals:
        escaped = re.sub("a|A|b|%41", lambda found: encodings(found[0], rules), escaped)
    return re.compile(f"{escaped}{slash}".encode(), re.DOTALL if rules.case_sensitive else re.DOTALL | re.IGNORECASE)


def encodings(letter: str, rules: PathRules) -> str:
    letter = "A" if letter == "%41" else letter
    other = f"|%{ord(letter.swapcase()):02x}" if not rules.case_sensitive else ""
    return f"(?:{letter}|%{ord(letter):02x}{other})"


def specificity(route: Route, rules: PathRules) -> list[int]:
    path = route.path.removesuffix("/") if rules.trailing_slash == "ignore" else route.path
    return [2 if "..." in piece else 1 if "{" in piece else 0 for piece in path.split("/")[1:]]


def method_rank(named: frozenset[bytes], method: bytes) -> int:
    if method in named:
        return 0
    return 1 if method == b"HEAD" and b"GET" in named else 2


def slow_match(it: Matcher, method: bytes, path: bytes) -> tuple[str, tuple[bytes, ...]]:
    """The obvious way: try every route, keep the most specific one."""
    best: tuple[tuple[object, ...], str, tuple[bytes, ...]] | None = None
    for route in it.table.routes:
        rank = method_rank(route.methods or frozenset(), method)
        found = expression(route, it.table.paths).fullmatch(path)
        if found is None or (rank == 2 and route.methods is not None):
            continue
        candidate = ((specificity(route, it.table.paths), rank), route.id, found.groups())
        best = candidate if best is None or candidate[0] < best[0] else best
    return (best[1], best[2]) if best else (LAST, (path,))


paths = st.one_of(
    st.lists(st.sampled_from(["", "a", "b", "A", "B", "%41", "%61", "a.b", "ab", "%2f", "x"]), max_size=6).map(
        lambda pieces: ("/" + "/".join(pieces)).encode()
    ),
    st.binary(max_size=12).map(lambda tail: b"/" + tail),
)


@settings(max_examples=examples(300), deadline=None)
@given(tables(), st.sampled_from([b"GET", b"POST", b"HEAD", b"BREW"]), paths)
def test_the_matcher_agrees_with_trying_every_route(it: Matcher, method: bytes, path: bytes) -> None:
    note([(route.id, route.methods, route.path) for route in it.table.routes])
    note(it.table.paths)
    assert found(it, path, method) == slow_match(it, method, path)


@given(st.binary(max_size=40), st.binary(max_size=200))
def test_no_method_and_no_path_raises(method: bytes, path: bytes) -> None:
    it = matcher([(["GET"], "/a/{x}/b"), (None, "/a/{rest...}")], EXPRESS)
    route, variables = it.match(method, path)
    assert len(variables) == len(route.variables)


@pytest.mark.parametrize("path", [b"/" * 16_000, b"/a" * 8_000, b"/a/" + b"%2f" * 5_000, b"/" + b"\xff" * 16_000])
def test_a_path_made_to_hurt_costs_less_than_a_millisecond(path: bytes) -> None:
    declared: Declared = [(None, f"/{'/'.join(kinds)}") for kinds in two_ways(10)]
    it = matcher(declared, EXPRESS)
    took = min(timed(lambda: it.match(b"GET", path)) for _ in range(5))
    assert took < 0.001


def two_ways(depth: int) -> list[list[str]]:
    """Paths that share their beginnings, a literal and a variable at each step: the worst that backtracking meets."""
    return [["a"] * at + [f"{{v{at}}}"] + ["a"] * (depth - at) + ["end"] for at in range(depth)]


def timed(run: Callable[[], object]) -> float:
    begun = time.process_time()
    run()
    return time.process_time() - begun
