"""Faults of routes whose new end is a message: what only a service behind the route could do cannot be asked of it."""

from collections.abc import Iterator

from strangler_gateway.config.checks.outline import Outline, RouteOutline
from strangler_gateway.config.yaml.source import LocatedYaml
from strangler_gateway.table.faults import Fault

_SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")


def publish_faults(source: LocatedYaml, outline: Outline) -> Iterator[Fault]:
    """Every breach of a rule about `publish:`."""
    for route in outline.routes:
        if "publish" in route.fields:
            for place, message in (*_ends(route), *_request(route), *_caller(route), *_never(route)):
                yield source.fault((*route.place, *place), message)


Found = Iterator[tuple[tuple[str, ...], str]]
"""A place in the route, and a sentence."""


def _ends(route: RouteOutline) -> Found:
    if "extracted" in route.fields:
        yield ("publish",), "a route has one new end, and this one has `extracted:` as well; take one of the two out"


def _request(route: RouteOutline) -> Found:
    safe = [method for method in route.methods or () if method in _SAFE]
    if route.methods is None or safe:
        seen = f"seen {safe[0]}" if safe else "none are named"
        yield ("match", "methods"), f"a message changes something: wanted methods such as [POST], {seen}"
    if route.template is not None and route.template.variables:
        name = route.template.variables[0]
        yield (
            ("match", "path"),
            f"the message would not have {{{name}}}: only the body goes into it; take it from there",
        )


def _caller(route: RouteOutline) -> Found:
    if route.auth.get("require", "open") == "open":
        yield ("auth",), "a message carries a verified user: write auth: {require: authenticated, enforce: gateway}"
    elif route.auth.get("enforce") != "gateway":
        yield ("auth",), "nobody behind a message can refuse a caller: write enforce: gateway"


def _never(route: RouteOutline) -> Found:
    if "shadow" in route.fields:
        yield ("shadow",), "a message is not sent a second time to be compared; take the rules out"
    if "extracted" in route.rewrites:
        yield ("rewrite", "extracted"), "a message has no path; take it out"
