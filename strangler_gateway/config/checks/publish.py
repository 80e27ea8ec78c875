"""Faults of routes whose new end is a message: they ask for what only a service behind the route can do."""

from strangler_gateway.config.checks.written import Found, WrittenFile, WrittenRoute

_SAFE = ("GET", "HEAD", "OPTIONS", "TRACE")


def publish_faults(file: WrittenFile) -> Found:
    """Every breach of a rule about `publish:`."""
    for route in file.routes:
        if "publish" in route.fields:
            for place, message in (*_ends(route), *_request(route), *_caller(route), *_never(route)):
                yield (*route.place, *place), message


def _ends(route: WrittenRoute) -> Found:
    if "extracted" in route.fields:
        yield ("publish",), "a route has one new end, and this one has `extracted:` as well; remove one of the two"


def _request(route: WrittenRoute) -> Found:
    safe = [method for method in route.methods or () if method in _SAFE]
    if route.methods is None or safe:
        seen = f"seen {safe[0]}" if safe else "none are named"
        yield ("match", "methods"), f"a message changes something: wanted methods such as [POST], {seen}"
    if route.template is not None and route.template.variables:
        name = route.template.variables[0]
        message = f"the message does not contain {{{name}}}: only the body is sent; put the value into the body"
        yield ("match", "path"), message


def _caller(route: WrittenRoute) -> Found:
    auth = route.fields.get("auth")
    rules = auth if isinstance(auth, dict) else {}
    if rules.get("require", "open") == "open":
        yield ("auth",), "a message carries a verified user: write auth: {require: authenticated, enforce: gateway}"
    elif rules.get("enforce") != "gateway":
        yield ("auth",), "the consumer of a message cannot refuse a caller: write enforce: gateway"


def _never(route: WrittenRoute) -> Found:
    if "shadow" in route.fields:
        yield ("shadow",), "a message is not sent twice for a comparison; remove the rules"
    if route.text("rewrite", "extracted") is not None:
        yield ("rewrite", "extracted"), "a message has no path; remove it"
