"""Faults that span entries of the file: names, reach of routes, states, the last route."""

from collections.abc import Iterator

from strangler_gateway.config.checks.outline import Outline, RouteOutline
from strangler_gateway.config.checks.publish import publish_faults
from strangler_gateway.config.field_types import references
from strangler_gateway.config.model import MovableFields
from strangler_gateway.config.yaml.source import LocatedYaml
from strangler_gateway.table.faults import Fault, quoted
from strangler_gateway.table.template import shape

MOVABLE_FIELDS = frozenset(MovableFields.model_fields)
MAX_METHODS = 64
_LAST = 'the last route takes all the rest: match: {path: "/{rest...}"}, without methods'


def rule_faults(source: LocatedYaml, outline: Outline) -> list[Fault]:
    """Every breach of a rule."""
    return [fault for rule in _RULES for fault in rule(source, outline)]


def _ids(source: LocatedYaml, outline: Outline) -> Iterator[Fault]:
    seen: dict[str, RouteOutline] = {}
    for route in outline.routes:
        name, at = route.names.get("id"), (*route.place, "id")
        if name is None:
            continue
        if name in seen:
            line = source.line(seen[name].place)
            yield source.fault(at, f"the id {quoted(name)} is already taken on line {line}; ids are unique")
        elif name in outline.groups:
            yield source.fault(at, f"{quoted(name)} is also the name of a group; a command could not tell them apart")
        seen.setdefault(name, route)


def _undefined(source: LocatedYaml, outline: Outline) -> Iterator[Fault]:
    for route in outline.routes:
        for field, what, known in (
            ("legacy", "service", outline.services),
            ("extracted", "service", outline.services),
            ("group", "group", outline.groups),
        ):
            name = route.names.get(field)
            if name is not None and name not in known:
                defined = ", ".join(sorted(known)) or "none"
                message = f"the {what} {quoted(name)} is not defined under {what}s; defined there: {defined}"
                yield source.fault((*route.place, field), message)


def _group_or_route(source: LocatedYaml, outline: Outline) -> Iterator[Fault]:
    for route in outline.routes:
        if "group" in route.fields:
            for field in sorted(MOVABLE_FIELDS & route.fields):
                message = f'"{field}" belongs to the group that the route is in; write it there, not here'
                yield source.fault((*route.place, field), message)


def _reserved(source: LocatedYaml, outline: Outline) -> Iterator[Fault]:
    for route in outline.routes:
        if "aggregate" in route.fields:
            message = '"aggregate" is reserved for a later version; a route\'s new end is `extracted:` or `publish:`'
            yield source.fault((*route.place, "aggregate"), message)


def _new(source: LocatedYaml, outline: Outline) -> Iterator[Fault]:
    for route in outline.routes:
        if route.is_new and "shadow" in route.fields:
            message = "the route is `new`: the monolith has no answer to compare with; take one of the two out"
            yield source.fault((*route.place, "shadow"), message)


def _unreachable(source: LocatedYaml, outline: Outline) -> Iterator[Fault]:
    taken: dict[object, RouteOutline] = {}
    for route in outline.routes:
        if route.template is None:
            continue
        if not outline.paths.decode_literals and not str(route.path).isascii():
            message = "never reached: clients percent-encode such characters; write them so, or set decode_literals"
            yield source.fault((*route.place, "match", "path"), message)
        path = (shape(route.template, outline.paths), route.template.rest)
        clashes = [(method, taken.setdefault((path, method), route)) for method in route.methods or (None,)]
        for method, first in clashes:
            if first is not route:
                yield _clash(source, route, first, method)


def _methods(source: LocatedYaml, outline: Outline) -> Iterator[Fault]:
    """The matcher has a tree for each method that the file names."""
    named = {method for route in outline.routes for method in route.methods or ()}
    if len(named) > MAX_METHODS:
        yield source.fault(("routes",), f"names {len(named)} different methods; at most {MAX_METHODS} are taken")


def _clash(source: LocatedYaml, route: RouteOutline, first: RouteOutline, method: str | None) -> Fault:
    line, asked = source.line(first.place), f"{method or 'every method'} {route.path}"
    message = f"never reached: the route {quoted(first.id)} on line {line} takes {asked}; remove one of the two"
    return source.fault((*route.place, "match", "path"), message)


def _last_route(source: LocatedYaml, outline: Outline) -> Iterator[Fault]:
    if not outline.routes:
        return
    last = outline.routes[-1]
    if last.template is not None and not last.template.takes_all:
        message = f"the last route is missing: the file ends with {quoted(last.id)} ({last.path}), and {_LAST}"
        yield source.fault(last.place, message)
    elif last.template is not None and last.methods is not None:
        yield source.fault((*last.place, "match", "methods"), f"{_LAST}; take methods out")


def _rewrites(source: LocatedYaml, outline: Outline) -> Iterator[Fault]:
    for route in outline.routes:
        known = route.template.variables if route.template else ()
        for side, template in route.rewrites.items():
            for strange in sorted(references(template) - set(known)) if route.template else ():
                message = f"{{{strange}}} is no variable of the route's path; there: {', '.join(known) or 'none'}"
                yield source.fault((*route.place, "rewrite", side), message)


def _statuses(source: LocatedYaml, outline: Outline) -> Iterator[Fault]:
    for status in outline.statuses:
        if status != "default" and not (status.isascii() and status.isdigit() and 400 <= int(status[:4]) <= 599):
            message = f"{quoted(status)} is neither default nor a status from 400 to 599"
            yield source.fault(("errors", status), message)


_RULES = (
    _ids,
    _undefined,
    _group_or_route,
    _reserved,
    _new,
    publish_faults,
    _methods,
    _unreachable,
    _last_route,
    _rewrites,
    _statuses,
)
