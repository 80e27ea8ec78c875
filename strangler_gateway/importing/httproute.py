"""HTTPRoutes of the Kubernetes Gateway API."""

import re
from collections.abc import Iterator

from strangler_gateway.importing.found import FoundConfiguration, FoundEnd
from strangler_gateway.importing.located import LineDict, documents, entries, everywhere, inside, number, text
from strangler_gateway.importing.paths import FoundPath, of_literal, of_prefix, of_regex

_ASKED = "access-control-request-method"
_KNOWN = frozenset({"name", "matches", "filters", "backendRefs"})
_UNBOUNDED = {"request": "0s"}
"""No time-out for the whole answer: the gateway has none, either."""


def read(source: str) -> FoundConfiguration:
    """Raises ImportRefused."""
    found = FoundConfiguration()
    routes = [each for each in _objects(documents(source)) if each.get("kind") == "HTTPRoute"]
    for route in sorted(routes, key=lambda each: str(inside(each, "metadata", "name"))):
        if inside(route, "spec", "hostnames"):
            found.problem(route.line, "`hostnames`: routes of all hosts are in one table")
        for rule in entries(inside(route, "spec", "rules")):
            _read_rule(rule, found)
    return found


def _objects(whole: list[object]) -> Iterator[LineDict]:
    """Also of a `kind: List`."""
    for document in whole:
        if isinstance(document, LineDict):
            yield from entries(document["items"]) if "items" in document else [document]


def _read_rule(rule: LineDict, found: FoundConfiguration) -> None:
    refs = entries(rule.get("backendRefs"))
    unbounded = {"timeouts"} if rule.get("timeouts") == _UNBOUNDED else set()
    for name in sorted(rule.keys() - _KNOWN - unbounded):
        found.problem(rule.line, f"`{name}` of a rule is not taken over")
    for each in everywhere(rule, "filters"):
        for one in entries(each):
            if one.get("type") not in ("URLRewrite", "RequestHeaderModifier"):
                found.problem(one.line, f"the filter {one.get('type')} is not taken over")
    if not refs:
        found.problem(rule.line, "a rule without backendRefs: the route is left out")
        return
    for ref in refs:
        found.urls.setdefault(str(ref.get("name")), [_url(ref)])
    matches = entries(rule.get("matches")) or [rule]
    by_path: dict[tuple[str, str], set[str | None]] = {}
    lines: dict[tuple[str, str], int] = {}
    for match in matches:
        if (key := _path_key(match, found)) is not None:
            by_path.setdefault(key, set()).add(text(match.get("method")) or None if match is not rule else None)
            lines.setdefault(key, match.line)
    for key, methods in by_path.items():
        named = None if None in methods else frozenset(each for each in methods if each)
        _add(lines[key], key, named, rule, refs, found)


def _path_key(match: LineDict, found: FoundConfiguration) -> tuple[str, str] | None:
    """None: a preflight, which follows its route by itself, or something that is left out."""
    headers = [str(each.get("name")).lower() for each in entries(match.get("headers"))]
    if headers == [_ASKED]:
        return None
    if headers or match.get("queryParams"):
        found.problem(match.line, "a match by header fields or query: the route is left out")
        return None
    path = match.get("path")
    return str(inside(path, "type") or "PathPrefix"), str(inside(path, "value") or "/")


def _add(
    line: int,
    key: tuple[str, str],
    methods: frozenset[str] | None,
    rule: LineDict,
    refs: list[LineDict],
    found: FoundConfiguration,
) -> None:
    kind, path = key
    one = of_literal(path) if kind == "Exact" else of_regex(path) if kind == "RegularExpression" else None
    paths = (one,) if one is not None else of_prefix(path, by_segment=True) if kind == "PathPrefix" else ()
    if not paths:
        found.problem(line, "a path that no template of routes.yaml has: the route is left out")
        return
    found.folds_case |= any(each.folds_case for each in paths)
    found.ignores_slash |= any(each.ignores_slash for each in paths)
    for each in paths:
        ends = tuple(
            FoundEnd(str(ref.get("name")), number(ref.get("weight"), 1.0), _rewrite(each, rule, ref)) for ref in refs
        )
        found.add(line, [(each.template, each.guesses)], methods, tuple(end for end in ends if end.weight))


def _rewrite(path: FoundPath, rule: LineDict, ref: LineDict) -> str | None:
    for one in (*entries(rule.get("filters")), *entries(ref.get("filters"))):
        replaced = inside(one, "urlRewrite", "path")
        if inside(replaced, "replaceFullPath") is not None:
            return str(replaced["replaceFullPath"])
        if inside(replaced, "replacePrefixMatch") is not None:
            before = str(replaced["replacePrefixMatch"]).rstrip("/")
            return f"{before}/{{rest...}}" if path.template.endswith("/{rest...}") else before or "/"
    return None


def _url(ref: LineDict) -> str:
    name, port = str(ref.get("name")), ref.get("port")
    host = f"{name}.{ref['namespace']}" if "namespace" in ref else name
    return f"http://{re.sub(r'[^A-Za-z0-9._-]', '-', host)}" + (f":{port}" if port else "")
