"""The table as config entries of Consul: a service-router, and a service-splitter for each share."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from strangler_gateway.export.own_names import IDENTITY, OWN_NAMES
from strangler_gateway.export.rewrites import PathNotReplaced, rewritten
from strangler_gateway.export.rules import ExportOptions, ExportRefused, ForwardRule, WeightedEnd, services
from strangler_gateway.export.unexpressed import Unexpressed
from strangler_gateway.table.position import percent
from strangler_gateway.table.routes import RouteTable

Json = dict[str, Any]

ENTRY = "strangler"
"""The service that clients call; its router sends each request on."""
DIFFERS = (
    Unexpressed("services", "each service is the one of that name in the catalog, not the address in the routes file"),
    Unexpressed("timeouts", "one time-out for the whole answer, the longer one of `response` and `idle`: streams end"),
    Unexpressed("own_names", "fields that begin with X-Strangler-, or say who calls by prefix, are not removed"),
    Unexpressed("untried", "no Consul that knows these entries was at hand: the form is checked, the behaviour is not"),
)
_ASKED = "access-control-request-method"
_DAY_S = 86_400.0


def entries(_table: RouteTable, found: Sequence[ForwardRule], options: ExportOptions) -> list[Json]:
    """Defaults first, so that router and splitters find a protocol. Raises ExportRefused."""
    if options.authority is not None:
        raise ExportRefused(
            "a service-router names no authority: leave --authority out, and give the sidecars ext-authz"
        )
    splits = _splits(found)
    names = [ENTRY, *services(tuple(found)), *splits.values()]
    defaults = [{"Kind": "service-defaults", "Name": name, "Protocol": "http"} for name in names]
    splitters = [_splitter(name, ends) for ends, name in splits.items()]
    routes = [route for rule in found for route in _routes(rule, splits)]
    return [*defaults, *splitters, {"Kind": "service-router", "Name": ENTRY, "Routes": routes}]


def differs(found: Sequence[ForwardRule]) -> Iterator[Unexpressed]:
    """What it does differently for these rules."""
    yield from DIFFERS
    if unserved := tuple(rule.route.id for rule in found if not rule.ends):
        yield Unexpressed("no_destination", "goes to the service strangler itself, where nothing need be", unserved)
    if split := tuple(rule.route.id for rule in found if len(rule.ends) == 2):
        text = "who says who calls is not removed for one of two services: the monolith needs it"
        yield Unexpressed("identity_headers_of_shares", text, split)


def _splits(found: Sequence[ForwardRule]) -> dict[tuple[tuple[str, int], ...], str]:
    """The name of each division, by its services and weights."""
    divided = dict.fromkeys(_weights(rule) for rule in found if len(rule.ends) == 2)
    return {ends: f"{ENTRY}-split-{number}" for number, ends in enumerate(divided, 1)}


def _weights(rule: ForwardRule) -> tuple[tuple[str, int], ...]:
    return tuple((end.service.name, end.weight) for end in rule.ends)


def _splitter(name: str, ends: tuple[tuple[str, int], ...]) -> Json:
    splits = [{"Weight": percent(weight), "Service": service} for service, weight in ends]
    return {"Kind": "service-splitter", "Name": name, "Splits": splits}


def _routes(rule: ForwardRule, splits: dict[tuple[tuple[str, int], ...], str]) -> Iterator[Json]:
    destination = _destination(rule, splits)
    for way in _ways(rule):
        yield {"Match": {"HTTP": _path(rule) | way}, "Destination": destination}


def _path(rule: ForwardRule) -> Json:
    return {{"exact": "PathExact", "prefix": "PathPrefix", "regex": "PathRegex"}[rule.path.kind]: rule.path.text}


def _ways(rule: ForwardRule) -> list[Json]:
    """A request has the rule's method by itself, or is a preflight that asks for it."""
    if rule.methods is None:
        return [{}]
    own = [method for method in rule.methods if method != "OPTIONS"]
    ways: list[Json] = [{"Methods": own}] if own else []
    if "OPTIONS" in rule.methods:
        ways.append({"Methods": ["OPTIONS"], "Header": [{"Name": _ASKED, "Present": True, "Invert": True}]})
    asked = {"Name": _ASKED, "Regex": "|".join(_escaped(method) for method in rule.methods)}
    return [*ways, {"Methods": ["OPTIONS"], "Header": [asked]}]


def _escaped(method: str) -> str:
    return "".join(each if each.isalnum() or each in "-_" else f"\\{each}" for each in method)


def acts(rule: ForwardRule) -> None:
    """Raises PathNotReplaced where it cannot act on the rule."""
    _destination(rule, _splits([rule]))


def _destination(rule: ForwardRule, splits: dict[tuple[tuple[str, int], ...], str]) -> Json:
    if not rule.ends:
        return {"Service": ENTRY}
    if len(rule.ends) == 2:
        if any(end.replaces_path for end in rule.ends):
            raise PathNotReplaced(
                f"Consul cannot replace the path of the route {rule.route.id} for a share of the requests alone: move "
                "its group on to extracted or back, or leave the route with a gateway (--gateway URL)"
            )
        one = {"Service": splits[_weights(rule)], "RequestHeaders": {"Remove": list(OWN_NAMES)}}
    else:
        one = _to_one(rule, rule.ends[0])
    return one | {"RequestTimeout": f"{_longest_s(rule):g}s"}


def _longest_s(rule: ForwardRule) -> float:
    """Consul's own is 15 s. There is none for every piece of an answer."""
    return max(max(one.response, one.idle or _DAY_S) for one in (end.service.timeouts for end in rule.ends))


def _to_one(rule: ForwardRule, end: WeightedEnd) -> Json:
    removed = [*OWN_NAMES, *(IDENTITY if end.is_new else ())]
    destination: Json = {"Service": end.service.name, "RequestHeaders": {"Remove": removed}}
    if end.replaces_path:
        found = rewritten(rule, end, "Consul")
        if rule.path.kind == "regex" or not (found.is_prefix or rule.path.kind == "exact"):
            raise PathNotReplaced(
                f"Consul replaces a path only where it is matched exactly or by prefix, not by an expression as that "
                f"of the route {rule.route.id}: let {end.service.name} answer at {rule.route.path}, or leave the route "
                "with a gateway (--gateway URL)"
            )
        destination["PrefixRewrite"] = found.text
    return destination


def agent_configuration(made: Sequence[Json]) -> str:
    """HCL for the servers of Consul, which write these entries at their start where there are none."""
    return f"config_entries {{\n  bootstrap = {_hcl(list(made), 1)}\n}}\n"


def _hcl(value: object, depth: int) -> str:
    pad = "  " * (depth + 1)
    if isinstance(value, dict):
        fields = "".join(f"{pad}{name} = {_hcl(each, depth + 1)}\n" for name, each in value.items())
        return f"{{\n{fields}{'  ' * depth}}}"
    if isinstance(value, list) and value and isinstance(value[0], dict):
        return "[\n" + "".join(f"{pad}{_hcl(each, depth + 1)},\n" for each in value) + f"{'  ' * depth}]"
    if isinstance(value, list):
        return f"[{', '.join(_hcl(each, depth) for each in value)}]"
    # HCL reads ${ in a text as the beginning of an expression
    return json.dumps(value, ensure_ascii=False).replace("${", "$${") if isinstance(value, str) else json.dumps(value)
