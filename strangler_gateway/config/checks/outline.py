"""The names and paths of a file as far as they can be read, so that one fault hides no other."""

from dataclasses import dataclass
from typing import Any

from strangler_gateway.config.yaml.source import LocatedYaml
from strangler_gateway.table.faults import Place
from strangler_gateway.table.routes import PathRules
from strangler_gateway.table.template import Template, TemplateInvalid, parse


@dataclass(frozen=True, slots=True)
class RouteOutline:
    """A route as written. `names` holds id, group, legacy and extracted where they are texts."""

    place: Place
    fields: frozenset[str]
    names: dict[str, str]
    path: str | None
    template: Template | None
    methods: tuple[str, ...] | None
    rewrites: dict[str, str]
    auth: dict[str, Any]
    is_new: bool

    @property
    def id(self) -> str:
        return self.names.get("id", f"number {int(self.place[1]) + 1}")


@dataclass(frozen=True, slots=True)
class Outline:
    """A file as written."""

    services: frozenset[str]
    groups: frozenset[str]
    paths: PathRules
    routes: tuple[RouteOutline, ...]
    statuses: frozenset[str]


def outline(source: LocatedYaml) -> Outline:
    """What can be read of the file."""
    data = source.data
    listed = data.get("routes")
    routes = list(enumerate(listed)) if isinstance(listed, list) else []
    return Outline(
        services=frozenset(_mapping(data.get("services"))),
        groups=frozenset(_mapping(data.get("groups"))),
        paths=_paths(_mapping(data.get("paths"))),
        routes=tuple(_route(source, ("routes", at), route) for at, route in routes if isinstance(route, dict)),
        statuses=frozenset(_mapping(data.get("errors"))),
    )


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _paths(given: dict[str, Any]) -> PathRules:
    return PathRules(
        case_sensitive=given.get("case_sensitive") is not False,
        trailing_slash="ignore" if given.get("trailing_slash") == "ignore" else "strict",
        decode_literals=given.get("decode_literals") is True,
    )


def _route(source: LocatedYaml, place: Place, route: dict[str, Any]) -> RouteOutline:
    match = _mapping(route.get("match"))
    path = _texts(source, (*place, "match"), match, ("path",)).get("path")
    return RouteOutline(
        place=place,
        fields=frozenset(route),
        names=_texts(source, place, route, ("id", "group", "legacy", "extracted")),
        path=path,
        template=None if path is None else _template(path),
        methods=_methods(match),
        rewrites=_texts(source, (*place, "rewrite"), _mapping(route.get("rewrite")), ("legacy", "extracted")),
        auth=_mapping(route.get("auth")),
        is_new=route.get("new") is True,
    )


def _texts(source: LocatedYaml, place: Place, given: dict[str, Any], names: tuple[str, ...]) -> dict[str, str]:
    found = {name: given.get(name) for name in names if (*place, name) not in source.broken}
    return {name: value for name, value in found.items() if isinstance(value, str)}


def _template(path: str) -> Template | None:
    try:
        return parse(path)
    except TemplateInvalid:
        return None


def _methods(match: dict[str, Any]) -> tuple[str, ...] | None:
    given = match.get("methods")
    if given is None:
        return None
    return tuple(method for method in given if isinstance(method, str)) if isinstance(given, list) else ()
