"""Servers, locations and upstreams of an nginx configuration; and the maps that `strangler export nginx` writes."""

import re

from strangler_gateway.importing.found import FoundConfiguration, FoundEnd
from strangler_gateway.importing.nginx_blocks import Directive, directives, named
from strangler_gateway.importing.nginx_maps import read_maps
from strangler_gateway.importing.paths import FoundPath, of_literal, of_prefix, of_regex

_PROXY = re.compile(r"(https?)://([^/$]+)(/.*)?")
_QUIET = re.compile(
    r"proxy_(?!pass$)|access_log|error_log|limit_except|add_header|client_|keepalive|sendfile|tcp_|include$|location$"
)
"""How a request is forwarded, not where; and what is read by itself."""
_OF_SERVER = re.compile(r"return|rewrite|if|try_files|error_page|auth_request|\w+_by_lua\w*")
"""What a server does before a location is chosen, or after."""
_HARMLESS = ("mime.types", "proxy_params")


def read(text: str) -> FoundConfiguration:
    """Raises ImportRefused."""
    found, whole = FoundConfiguration(), directives(text)
    for upstream in named(whole, "upstream"):
        servers = [one.rest[0] for one in upstream.block or [] if one.name == "server" and one.rest]
        found.urls[upstream.rest[0] if upstream.rest else ""] = [_url(server) for server in servers]
    splits = {one.rest[1]: one for one in named(whole, "split_clients") if len(one.rest) == 2}
    read_maps(whole, splits, found)
    for include in named(whole, "include"):
        if not " ".join(include.rest).endswith(_HARMLESS):
            found.problem(include.line, "`include`: what stands in that file is not read")
    hosts = [one for one in named(whole, "server") if one.block is not None]
    for host in hosts:
        _read_server(host, splits, found)
    _name_hosts(hosts, found)
    return found


def _read_server(server: Directive, splits: dict[str, Directive], found: FoundConfiguration) -> None:
    for one in server.block or []:
        if _OF_SERVER.fullmatch(one.name):
            found.problem(one.line, f"`{one.name}` in a server is not taken over")
    for location in named(server.block or [], "location"):
        if location.rest:
            _read_location(location, splits, found)


def _name_hosts(servers: list[Directive], found: FoundConfiguration) -> None:
    """A problem where hosts differ; a server without locations, such as one that redirects, does not count."""
    with_routes = [one for one in servers if any(named(one.block or [], "location"))]
    hosts = [one for server in with_routes for one in server.block or [] if one.name == "server_name"]
    if len({tuple(one.rest) for one in hosts}) > 1:
        for one in hosts:
            found.problem(one.line, "`server_name`: routes of all hosts are in one table")


def _read_location(location: Directive, splits: dict[str, Directive], found: FoundConfiguration) -> None:
    block = location.block or []
    target = next((one for one in block if one.name == "proxy_pass" and one.rest), None)
    if target is not None and target.rest[0].startswith("$strangler_"):
        return  # the maps have said it
    for one in block:
        if one.name not in ("proxy_pass", "internal") and not _QUIET.match(one.name):
            found.problem(one.line, f"`{one.name}` in a location is not taken over")
    if target is None or any(one.name == "internal" for one in block):
        found.problem(location.line, "a location without proxy_pass: the route is left out")
        return
    paths = _paths(location, found)
    if not paths:
        found.problem(location.line, "a path that no template of routes.yaml has: the route is left out")
    methods = _methods(block)
    for path in paths:
        ends = _ends(target, path, splits, found)
        if ends:
            found.add(location.line, [(path.template, path.guesses)], methods, ends)


def _paths(location: Directive, found: FoundConfiguration) -> tuple[FoundPath, ...]:
    words = location.rest
    kind, text = (words[0], words[1]) if len(words) > 1 else ("", words[0])
    if kind in ("~", "~*"):
        one = of_regex(text)
        found.folds_case |= kind == "~*" and one is not None
        return (one,) if one is not None and text.startswith("^") and text.endswith("$") else ()
    if kind == "=":
        exact = of_literal(text)
        return (exact,) if exact else ()
    return of_prefix(text, by_segment=False) if text.startswith("/") else ()


def _methods(block: list[Directive]) -> frozenset[str] | None:
    """`limit_except GET { deny all; }` lets GET (and HEAD) pass."""
    limits = [one for one in block if one.name == "limit_except" and one.rest]
    return frozenset(limits[0].rest) if limits else None


def _ends(
    target: Directive, path: FoundPath, splits: dict[str, Directive], found: FoundConfiguration
) -> tuple[FoundEnd, ...]:
    text = target.rest[0]
    variable = re.fullmatch(r"(https?://)?(\$\w+)", text)
    if variable and variable[2] in splits:
        return split_ends(splits[variable[2]], found)
    proxied = _PROXY.fullmatch(text)
    if proxied is None:
        found.problem(target.line, "a proxy_pass with variables: the route is left out")
        return ()
    name = service(proxied[1], proxied[2], found)
    rewrite = proxied[3]
    if rewrite is not None and path.template.endswith("/{rest...}"):
        rewrite = f"{rewrite.rstrip('/')}/{{rest...}}"
    return (FoundEnd(name, 1.0, None if rewrite == path.template else rewrite),)


def split_ends(split: Directive, found: FoundConfiguration) -> tuple[FoundEnd, ...]:
    """The parts of a split_clients."""
    ends, left = [], 100.0
    for one in split.block or []:
        proxied = _PROXY.fullmatch(one.rest[0]) if one.rest else None
        name = service(proxied[1], proxied[2], found) if proxied else one.rest[0] if one.rest else ""
        part = re.fullmatch(r"([0-9.]{1,9})%", one.name)
        weight = float(part[1]) if part else left
        left -= weight
        ends.append(FoundEnd(name, weight))
    return tuple(end for end in ends if end.weight > 0)


def service(scheme: str, place: str, found: FoundConfiguration) -> str:
    """An upstream of that name, or the host itself."""
    if place not in found.urls:
        found.urls[place] = [f"{scheme}://{place}"]
    elif scheme == "https":
        found.urls[place] = [url.replace("http://", "https://", 1) for url in found.urls[place]]
    return place


def _url(server: str) -> str:
    return server if server.startswith("unix:") else f"http://{server}"
