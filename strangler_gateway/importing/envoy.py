"""Routes and clusters of an Envoy configuration (v3)."""

import re
from dataclasses import replace
from typing import Any

from strangler_gateway.importing.found import FoundConfiguration, FoundEnd
from strangler_gateway.importing.located import LineDict, documents, entries, everywhere, inside, number, text
from strangler_gateway.importing.paths import FoundPath, methods_of, of_literal, of_prefix, of_regex

_ASKED = "access-control-request-method"
_PATHS = ("path", "prefix", "path_separated_prefix", "safe_regex")
_KNOWN = frozenset({*_PATHS, "headers", "case_sensitive", "runtime_fraction"})
_ACTION = frozenset(
    {*("cluster", "weighted_clusters", "prefix_rewrite", "regex_rewrite"), *("timeout", "idle_timeout", "hash_policy")}
)
_NOT_FOLLOWED = (
    "a `runtime_fraction` before this line leaves the other requests to another match: the route is left out"
)


def read(source: str) -> FoundConfiguration:
    """Raises ImportRefused."""
    found = FoundConfiguration()
    whole = documents(source)
    for clusters in everywhere(whole, "clusters"):
        for cluster in entries(clusters):
            if "load_assignment" in cluster:
                found.urls[str(cluster.get("name"))] = _urls(cluster)
    hosts = [host for each in everywhere(whole, "virtual_hosts") for host in entries(each)]
    for host in hosts:
        if inside(host, "domains") not in (["*"], None):
            found.problem(host.line, "`domains`: routes of all hosts are in one table")
        _read_routes(entries(host.get("routes")), found)
    return found


def _read_routes(routes: list[LineDict], found: FoundConfiguration) -> None:
    """An entry for a part of the requests leaves the others to the next entry with the same match."""
    waiting: tuple[object, FoundEnd] | None = None
    for route in routes:
        match = route.get("match")
        if not isinstance(match, LineDict) or not _is_understood(route, match, found):
            continue
        methods = _methods(match, found)
        paths = _paths(match, found) if methods != frozenset() else ()
        if not paths:
            continue
        ends = _ends(route["route"], paths[0], found)
        fraction, key = _fraction(match), (match.get("safe_regex"), match.get("prefix"), match.get("path"), methods)
        if fraction is not None and len(ends) == 1:
            waiting = key, replace(ends[0], weight=fraction)
            continue
        if waiting is not None and waiting[0] == key and len(ends) == 1:
            ends = (waiting[1], replace(ends[0], weight=1.0 - waiting[1].weight))
        elif waiting is not None:
            found.problem(match.line, _NOT_FOLLOWED)
        waiting = None
        if ends:
            found.folds_case |= match.get("case_sensitive") == "false" or any(path.folds_case for path in paths)
            found.ignores_slash |= any(path.ignores_slash for path in paths)
            found.add(match.line, [(path.template, path.guesses) for path in paths], methods, ends)
    if waiting is not None:
        found.problem(routes[-1].line, _NOT_FOLLOWED)


def _is_understood(route: LineDict, match: LineDict, found: FoundConfiguration) -> bool:
    for name in sorted(match.keys() - _KNOWN):
        found.problem(match.line, f"a match by `{name}`: the route is left out")
        return False
    if not isinstance(route.get("route"), LineDict):
        kinds = ", ".join(
            sorted(route.keys() & {"redirect", "direct_response", "filter_action", "non_forwarding_action"})
        )
        found.problem(route.line, f"an answer by Envoy itself (`{kinds or 'no route'}`): the route is left out")
        return False
    for name in sorted(route["route"].keys() - _ACTION):
        found.problem(route["route"].line, f"`{name}` of a route is not taken over")
    return True


def _methods(match: LineDict, found: FoundConfiguration) -> frozenset[str] | None:
    """None: every method; empty: the entry is left out."""
    methods: frozenset[str] | None = None
    for header in entries(match.get("headers")):
        name = header.get("name")
        wanted = text(inside(header, "string_match", "exact") or header.get("exact_match"))
        listed = inside(header, "string_match", "safe_regex", "regex") or inside(header, "safe_regex_match", "regex")
        if name == _ASKED:
            if "present_match" not in header:
                return frozenset()  # a preflight follows its route by itself
            continue
        methods = methods_of(re.escape(wanted) or text(listed)) if name == ":method" else frozenset()
        if not methods:
            found.problem(header.line, f"a match by the header `{name}`: the route is left out")
            return frozenset()
    return methods


def _paths(match: LineDict, found: FoundConfiguration) -> tuple[FoundPath, ...]:
    paths: tuple[FoundPath | None, ...] = ()
    if "path" in match:
        paths = (of_literal(str(match["path"])),)
    elif "prefix" in match or "path_separated_prefix" in match:
        by_segment = "path_separated_prefix" in match
        paths = of_prefix(str(match["path_separated_prefix" if by_segment else "prefix"]), by_segment=by_segment)
    elif "safe_regex" in match:
        paths = (of_regex(str(inside(match, "safe_regex", "regex"))),)
    known = tuple(path for path in paths if path is not None)
    if not known or len(known) < len(paths):
        found.problem(match.line, "a path that no template of routes.yaml has: the route is left out")
        return ()
    return known


def _ends(action: LineDict, path: FoundPath, found: FoundConfiguration) -> tuple[FoundEnd, ...]:
    rewrite = _rewrite(action, path, found)
    if "cluster" in action:
        return (FoundEnd(str(action["cluster"]), 1.0, rewrite),)
    clusters = entries(inside(action, "weighted_clusters", "clusters"))
    ends = tuple(FoundEnd(str(each.get("name")), number(each.get("weight"), 1.0), rewrite) for each in clusters)
    return tuple(end for end in ends if end.weight)


def _rewrite(action: LineDict, path: FoundPath, found: FoundConfiguration) -> str | None:
    if "regex_rewrite" in action:
        substitution = str(inside(action, "regex_rewrite", "substitution"))
        names = {str(at): name for at, name in enumerate(path.variables, 1)}
        if set(re.findall(r"\\(\d)", substitution)) <= names.keys():
            rest = path.template.endswith("...}") and path.variables[-1]
            return re.sub(r"\\(\d)", lambda one: _variable(names[one[1]], rest), substitution)
        found.problem(action.line, "a `regex_rewrite` by other groups than the path's: not taken over")
    if "prefix_rewrite" in action:
        before = str(action["prefix_rewrite"])
        if path.template.endswith("/{rest...}"):
            return f"{before.rstrip('/')}/{{rest...}}"
        return before
    return None


def _variable(name: str, rest: object) -> str:
    return f"{{{name}...}}" if name == rest else f"{{{name}}}"


def _fraction(match: LineDict) -> float | None:
    value = inside(match, "runtime_fraction", "default_value")
    if value is None:
        return None
    whole = {"HUNDRED": 100, "TEN_THOUSAND": 10_000, "MILLION": 1_000_000}
    return number(inside(value, "numerator"), 0.0) / whole.get(str(inside(value, "denominator") or "HUNDRED"), 100)


def _urls(cluster: LineDict) -> list[str]:
    scheme = "https" if "transport_socket" in cluster else "http"
    return [url for each in everywhere(cluster["load_assignment"], "address") if (url := _url(scheme, each))]


def _url(scheme: str, address: Any) -> str | None:
    place = inside(address, "socket_address")
    if place is None:
        path = inside(address, "pipe", "path")
        return f"unix:{path}" if path else None
    host = str(inside(place, "address"))
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{inside(place, 'port_value')}"
