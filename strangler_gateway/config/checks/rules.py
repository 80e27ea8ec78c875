"""Faults between entries of the file: names, reach of routes, states, the last route."""

from strangler_gateway.config.checks.aggregate import aggregate_faults
from strangler_gateway.config.checks.plans import plan_faults
from strangler_gateway.config.checks.publish import publish_faults
from strangler_gateway.config.checks.services import service_faults
from strangler_gateway.config.checks.written import Found, WrittenFile, WrittenRoute
from strangler_gateway.config.faults import Fault
from strangler_gateway.config.field_types import references
from strangler_gateway.config.model import MovableFields
from strangler_gateway.config.yaml.source import LocatedYaml
from strangler_gateway.table.template import quoted, shape

MOVABLE_FIELDS = frozenset(MovableFields.model_fields)
MAX_METHODS = 64
_LAST = 'the last route takes everything else: match: {path: "/{rest...}"}, without methods'


def rule_faults(source: LocatedYaml) -> list[Fault]:
    """Every breach of a rule."""
    file = WrittenFile(source)
    return [source.fault(place, message) for rule in _RULES for place, message in rule(file)]


def _ids(file: WrittenFile) -> Found:
    seen: dict[str, WrittenRoute] = {}
    for route in file.routes:
        name, at = route.text("id"), (*route.place, "id")
        if name is None:
            continue
        if name in seen:
            line = file.source.line(seen[name].place)
            yield at, f"the id {quoted(name)} is already taken on line {line}; ids are unique"
        elif name in file.groups:
            yield at, f"{quoted(name)} is also the name of a group; a command could not distinguish them"
        seen.setdefault(name, route)


def _undefined(file: WrittenFile) -> Found:
    ends = (("legacy", "service", file.services), ("extracted", "service", file.services))
    for route in file.routes:
        for field, what, known in (*ends, ("group", "group", file.groups)):
            name = route.text(field)
            if name is not None and name not in known:
                defined = ", ".join(sorted(known)) or "none"
                message = f"the {what} {quoted(name)} is not defined under {what}s; defined there: {defined}"
                yield (*route.place, field), message


def _group_or_route(file: WrittenFile) -> Found:
    for route in file.routes:
        if "group" in route.fields:
            for field in sorted(MOVABLE_FIELDS & route.fields.keys()):
                message = f'"{field}" belongs to the group that the route is in; write it there, not here'
                yield (*route.place, field), message


def _new(file: WrittenFile) -> Found:
    for route in file.routes:
        if route.fields.get("new") is True and "shadow" in route.fields:
            message = "the route is `new`: the monolith has no answer to compare with; remove one of the two"
            yield (*route.place, "shadow"), message


def _unreachable(file: WrittenFile) -> Found:
    taken: dict[object, WrittenRoute] = {}
    for route in file.routes:
        if route.template is None:
            continue
        at = (*route.place, "match", "path")
        if not file.paths.decode_literals and not str(route.path).isascii():
            yield at, "never reached: clients percent-encode such characters; write them so, or set decode_literals"
        path = (shape(route.template, file.paths), route.template.rest)
        clashes = [(method, taken.setdefault((path, method), route)) for method in route.methods or (None,)]
        for method, first in clashes:
            if first is not route:
                line, what = file.source.line(first.place), f"{method or 'every method'} {route.path}"
                taker = f"the route {quoted(first.id)} on line {line} takes {what}"
                yield at, f"never reached: {taker}; remove one of the two"


def _methods(file: WrittenFile) -> Found:
    """Bounds the matcher's memory: it has a tree for each method that the file names."""
    named = {method for route in file.routes for method in route.methods or ()}
    if len(named) > MAX_METHODS:
        yield ("routes",), f"names {len(named)} different methods; at most {MAX_METHODS} are taken"


def _last_route(file: WrittenFile) -> Found:
    last = file.routes[-1] if file.routes else None
    if last is None or last.template is None:
        return
    if not last.template.takes_all:
        yield last.place, f"the last route is missing: the file ends with {quoted(last.id)} ({last.path}), and {_LAST}"
    elif last.methods is not None:
        yield (*last.place, "match", "methods"), f"{_LAST}; remove methods"


def _rewrites(file: WrittenFile) -> Found:
    for route in file.routes:
        known = route.template.variables if route.template else ()
        for side in ("legacy", "extracted"):
            template = route.text("rewrite", side)
            for strange in sorted(references(template) - set(known)) if template and route.template else ():
                message = (
                    f"{{{strange}}} is not a variable of the route's path; its variables: {', '.join(known) or 'none'}"
                )
                yield (*route.place, "rewrite", side), message


def _statuses(file: WrittenFile) -> Found:
    for status in file.statuses:
        if status != "default" and not (status.isascii() and status.isdigit() and 400 <= int(status[:4]) <= 599):
            yield ("errors", status), f"{quoted(status)} is neither default nor a status from 400 to 599"


_RULES = (
    _ids,
    _undefined,
    _group_or_route,
    _new,
    service_faults,
    publish_faults,
    aggregate_faults,
    plan_faults,
    _methods,
    _unreachable,
    _last_route,
    _rewrites,
    _statuses,
)
