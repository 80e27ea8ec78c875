"""Faults that span entries of the file: names, reach of routes, states, the last route."""

from collections.abc import Iterator
from dataclasses import dataclass

from strangler_gateway.faults import Fault, Place
from strangler_gateway.path_template import parse, shape
from strangler_gateway.routes import PathRules
from strangler_gateway.routes_model import RouteEntry, RoutesFile, UnitFields
from strangler_gateway.yaml_source import Source

UNIT_FIELDS = frozenset(UnitFields.model_fields)


@dataclass(frozen=True, slots=True)
class Declared:
    """What the rules look at: the healthy entries, and where each route stands in the file."""

    source: Source
    file: RoutesFile
    faulty: frozenset[Place]

    def routes(self) -> list[tuple[Place, RouteEntry]]:
        listed = self.source.data.get("routes")
        count = len(listed) if isinstance(listed, list) else 0
        places = [("routes", at) for at in range(count) if ("routes", at) not in self.faulty]
        return list(zip(places, self.file.routes, strict=True))

    def known(self, section: str) -> set[str]:
        named = self.source.data.get(section)
        return set(named) if isinstance(named, dict) else set()


def rule_faults(declared: Declared) -> list[Fault]:
    """Every breach of a rule."""
    rules = (_duplicate_ids, _undefined, _group_or_route, _reserved, _unreachable, _last_route, _rewrites, _statuses)
    return [fault for rule in rules for fault in rule(declared)]


def _duplicate_ids(declared: Declared) -> Iterator[Fault]:
    seen: dict[str, Place] = {}
    groups = declared.known("groups")
    for place, route in declared.routes():
        at = (*place, "id")
        if route.id in seen:
            line = declared.source.line(seen[route.id])
            yield declared.source.fault(at, f'the id "{route.id}" is already taken on line {line}; ids are unique')
        elif route.id in groups:
            yield declared.source.fault(at, f'"{route.id}" is also the name of a group; flip could not tell them apart')
        seen.setdefault(route.id, at)


def _undefined(declared: Declared) -> Iterator[Fault]:
    for place, route in declared.routes():
        for field, section in (("legacy", "services"), ("extracted", "services"), ("group", "groups")):
            name = getattr(route, field)
            known = declared.known(section)
            if name is not None and name not in known:
                listed = ", ".join(sorted(known)) or "none"
                what = section.removesuffix("s")
                yield declared.source.fault(
                    (*place, field), f'the {what} "{name}" is not defined under {section}; defined: {listed}'
                )


def _group_or_route(declared: Declared) -> Iterator[Fault]:
    for place, route in declared.routes():
        if route.group is None:
            continue
        for field in sorted(UNIT_FIELDS & route.model_fields_set):
            yield declared.source.fault(
                (*place, field),
                f'"{field}" belongs to the group "{route.group}" that the route is in; take it out here',
            )


def _reserved(declared: Declared) -> Iterator[Fault]:
    for place, route in declared.routes():
        for field in ("publish", "aggregate"):
            if field in route.model_fields_set:
                yield declared.source.fault(
                    (*place, field), f'"{field}" is reserved for a later version; only `extracted:` works in this one'
                )


def _unreachable(declared: Declared) -> Iterator[Fault]:
    rules = PathRules(**declared.file.paths.model_dump())
    taken: dict[object, tuple[Place, RouteEntry]] = {}
    for place, route in declared.routes():
        template = parse(route.match.path)
        for method in route.match.methods or (None,):
            key = (shape(template, rules), template.rest, method)
            first = taken.setdefault(key, (place, route))
            if first[1] is not route:
                line = declared.source.line(first[0])
                asked = f"{method or 'any method'} {route.match.path}"
                yield declared.source.fault(
                    (*place, "match", "path"),
                    f'never reached: the route "{first[1].id}" on line {line} takes {asked}; remove one of them',
                )


def _last_route(declared: Declared) -> Iterator[Fault]:
    listed = declared.source.data.get("routes")
    place: Place = ("routes", len(listed) - 1 if isinstance(listed, list) else 0)
    if place in declared.faulty:
        return
    last = declared.file.routes[-1]
    wanted = 'the last route takes all the rest: match: {path: "/{rest...}"}, without methods'
    if not parse(last.match.path).takes_all:
        yield declared.source.fault(
            place, f'the last route is missing; the file ends with "{last.id}" ({last.match.path}), and {wanted}'
        )
    elif last.match.methods:
        yield declared.source.fault((*place, "match", "methods"), f"{wanted}; take methods out")


def _rewrites(declared: Declared) -> Iterator[Fault]:
    for place, route in declared.routes():
        known = set(parse(route.match.path).variables)
        for side in ("legacy", "extracted"):
            template = getattr(route.rewrite, side)
            if template is not None and (problem := _rewrite_problem(template, known)):
                yield declared.source.fault((*place, "rewrite", side), problem)


def _rewrite_problem(template: str, known: set[str]) -> str | None:
    try:
        strange = sorted(set(parse(template.replace("...}", "}")).variables) - known)
    except ValueError as exc:
        return f"the path {exc}"
    return f"{{{strange[0]}}} is no variable of the route's path" if strange else None


def _statuses(declared: Declared) -> Iterator[Fault]:
    for status in declared.file.errors:
        if status != "default" and not (status.isdecimal() and 400 <= int(status) <= 599 and len(status) == 3):
            yield declared.source.fault(
                ("errors", status), f'"{status}" is neither default nor a status from 400 to 599'
            )
