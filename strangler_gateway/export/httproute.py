"""The table as HTTPRoutes of the Kubernetes Gateway API (gateway.networking.k8s.io/v1)."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from strangler_gateway.export.own_names import IDENTITY, OWN_NAMES
from strangler_gateway.export.pattern import PathPattern, escaped
from strangler_gateway.export.precedence import lengthened, overlapping
from strangler_gateway.export.rewrites import not_replaced, rewritten
from strangler_gateway.export.rules import ExportOptions, ExportRefused, ForwardRule, WeightedEnd
from strangler_gateway.export.unexpressed import Unexpressed
from strangler_gateway.table.routes import RouteTable

Json = dict[str, Any]

MAX_RULES, MAX_MATCHES, MAX_MATCHES_OF_ROUTE = 16, 64, 128
"""Of one HTTPRoute, of one of its rules, and of all its rules (the schema and its validations)."""
MAX_PATH = 1024
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"})
DIFFERS = (
    Unexpressed(
        "regular_expressions",
        "RegularExpression is implementation-specific: check that the controller matches the whole path by RE2 or PCRE",
    ),
    Unexpressed(
        "timeouts",
        "no time-out: an HTTPRoute has one for the whole answer, which would end streams; connecting has the "
        "controller's default",
    ),
    Unexpressed("retries", "what is sent twice is the controller's default"),
    Unexpressed("own_names", "fields that begin with X-Strangler-, or say who calls by prefix, are not removed"),
    Unexpressed(
        "normal_paths",
        "Envoy Gateway decides by a normal form of the path, and forwards that: . and .. resolved, \\ as /, letters, "
        "digits and -._~ decoded, quotes and brackets encoded; a path with %00 gets 400",
    ),
    Unexpressed(
        "slashes",
        "Envoy Gateway takes // for /, and redirects a path with %2F or %5C (307), unless a ClientTrafficPolicy of the "
        "Gateway says `path: {disableMergeSlashes: true, escapedSlashesAction: KeepUnchanged}`",
    ),
    Unexpressed("refused_methods", "Envoy Gateway answers 400 to methods in no RFC, and to those in small letters"),
    Unexpressed("raw_bytes", "Envoy Gateway answers 400 to bytes above 0x7F that are not percent-encoded"),
    Unexpressed("asterisk", "Envoy Gateway answers 404 to OPTIONS *"),
    Unexpressed("services", "each backend is the Service of that name and port in the namespace of the route"),
)
_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_EXACT = re.compile(r"(?:[-A-Za-z0-9/._~!$&'()*+,;=:@]|%(?!2[fF])[0-9a-fA-F]{2})+")
"""Other paths no Exact can say."""
_UNBOUNDED = {"timeouts": {"request": "0s"}}
"""Without it Envoy Gateway ends every answer after 15 s."""
_ASKED = "Access-Control-Request-Method"


def differs(found: Sequence[ForwardRule]) -> Iterator[Unexpressed]:
    """What it does differently for these rules."""
    yield from DIFFERS
    if pairs := [(found[one].route.id, found[two].route.id) for one, two in overlapping(_as_said(found))]:
        text = (
            "both take some paths, and the first has to win: it is the longer expression, which Envoy Gateway takes; "
            "elsewhere the winner is implementation-specific"
        )
        yield Unexpressed("order", text, tuple(f"{first} over {second}" for first, second in pairs))
    strange = sorted({method for rule in found for method in rule.methods or () if method not in METHODS})
    if strange:
        yield Unexpressed("methods", "methods that the API does not know go where all methods go", tuple(strange))
    named = tuple(rule.route.id for rule in found if "OPTIONS" in (rule.methods or ()))
    if named:
        yield Unexpressed("options", "a preflight may be taken by a route that names OPTIONS", named)
    unserved = tuple(rule.route.id for rule in found if not rule.ends)
    if unserved:
        yield Unexpressed("no_backend", "answers 500, where other targets answer 501", unserved)
    split = tuple(rule.route.id for rule in found if len(rule.ends) == 2)
    if split:
        text = "fields are removed for one backend of two, which is implementation-specific (Envoy Gateway does it)"
        yield Unexpressed("backend_filters", text, split)


def documents(_table: RouteTable, found: Sequence[ForwardRule], options: ExportOptions) -> list[Json]:
    """As few HTTPRoutes as hold all rules, in their order. Raises ExportRefused."""
    if options.authority is not None:
        raise ExportRefused(
            "an HTTPRoute names no authority: leave --authority out, and give the controller its own policy for "
            "external authorization (Envoy Gateway: SecurityPolicy, extAuth)"
        )
    rules = [made for rule in lengthened(_as_said(found)) for made in _rules(rule)]
    return [_http_route(number, packed, options) for number, packed in enumerate(_packed(rules), 1)]


def _http_route(number: int, rules: list[Json], options: ExportOptions) -> Json:
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        # At the same precedence the first by name wins.
        "metadata": {"name": f"strangler-{number:03}", "namespace": options.namespace},
        "spec": {"parentRefs": [{"name": options.parent}], "rules": rules},
    }


def _packed(rules: Sequence[Json]) -> Iterator[list[Json]]:
    packed: list[Json] = []
    for rule in rules:
        matches = sum(len(each["matches"]) for each in (*packed, rule))
        if packed and (len(packed) == MAX_RULES or matches > MAX_MATCHES_OF_ROUTE):
            yield packed
            packed = []
        packed.append(rule)
    yield packed


def _rules(rule: ForwardRule) -> Iterator[Json]:
    """One, or more where it has too many matches."""
    matches = _matches(rule)
    for at in range(0, len(matches), MAX_MATCHES):
        yield {"matches": matches[at : at + MAX_MATCHES]} | _action(rule)


def _as_said(found: Sequence[ForwardRule]) -> list[ForwardRule]:
    """With expressions for paths that no Exact can say."""
    return [replace(rule, path=_sayable(rule.path)) for rule in found]


def _sayable(path: PathPattern) -> PathPattern:
    if path.kind != "exact" or _EXACT.fullmatch(path.text):
        return path
    return PathPattern("regex", escaped(path.text))


def _path_match(rule: ForwardRule) -> Json:
    kinds = {"exact": "Exact", "prefix": "PathPrefix", "regex": "RegularExpression"}
    kind, text = kinds[rule.path.kind], rule.path.text
    if len(text) > MAX_PATH:
        raise ExportRefused(
            f"the path of the route {rule.route.id} has {len(text)} characters, at most {MAX_PATH} are taken"
        )
    return {"path": {"type": kind, "value": text}}


def _matches(rule: ForwardRule) -> list[Json]:
    path = _path_match(rule)
    if rule.methods is None:
        return [path]
    known = [method for method in rule.methods if method in METHODS]
    own = [path | {"method": method} for method in known]
    asked = [{"type": "Exact", "name": _ASKED, "value": method} for method in rule.methods]
    return own + [path | {"method": "OPTIONS", "headers": [header]} for header in asked]


def acts(rule: ForwardRule) -> None:
    """Raises PathNotReplaced where it cannot act on the rule."""
    _action(rule)


def _action(rule: ForwardRule) -> Json:
    if not rule.ends:
        return {}
    if len(rule.ends) == 1:
        filters = _filters(rule, rule.ends[0])
        return {"filters": filters, "backendRefs": [_backend(rule.ends[0])]} | _UNBOUNDED
    return {"backendRefs": [_backend(end) | {"filters": _filters(rule, end)} for end in rule.ends]} | _UNBOUNDED


def _backend(end: WeightedEnd) -> Json:
    name = end.service.name
    if not _NAME.fullmatch(name):
        raise ExportRefused(
            f"the service {name} cannot be the name of a Kubernetes Service: rename it in the routes file"
        )
    if end.service.unix:
        raise ExportRefused(
            f"{name} is at a unix socket, which no Kubernetes Service has: --address {name}=http://HOST:PORT"
        )
    return {"name": name, "port": end.service.port, "weight": end.weight}


def _filters(rule: ForwardRule, end: WeightedEnd) -> list[Json]:
    removed = [*OWN_NAMES, *(IDENTITY if end.is_new else ())]  # at most 16
    filters: list[Json] = [{"type": "RequestHeaderModifier", "requestHeaderModifier": {"remove": removed}}]
    changed: Json = {}
    if end.service.host_policy == "upstream":
        changed["hostname"] = end.service.host
    if end.replaces_path:
        changed |= _path(rule, end)
    return filters + ([{"type": "URLRewrite", "urlRewrite": changed}] if changed else [])


def _path(rule: ForwardRule, end: WeightedEnd) -> Json:
    """Another path for all requests of a rule, if any.

    What the prefix / becomes when it is replaced is open (kubernetes-sigs/gateway-api#3592), and Envoy Gateway answers
    500 for one backend of several that replaces paths.
    """
    found = rewritten(rule, end, "HTTPRoute")
    if found.is_prefix and found.text == "/":
        return {}
    if found.is_prefix or len(rule.ends) > 1:
        raise not_replaced(rule, end, "HTTPRoute")
    return {"path": {"type": "ReplaceFullPath", "replaceFullPath": found.text}}
