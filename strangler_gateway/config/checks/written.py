"""The file as written, so that a fault in one field hides no fault between entries."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from strangler_gateway.config.faults import Place
from strangler_gateway.config.yaml.source import LocatedYaml
from strangler_gateway.table.routes import PathRules
from strangler_gateway.table.template import Template, TemplateInvalid, parse

Found = Iterator[tuple[Place, str]]
"""A place in the file, and the sentence about it."""


@dataclass(frozen=True)
class WrittenRoute:
    """A route whose fields may have faults."""

    source: LocatedYaml
    place: Place
    fields: dict[str, Any]

    @property
    def id(self) -> str:
        return self.text("id") or f"number {int(self.place[1]) + 1}"

    def text(self, *names: str) -> str | None:
        """The text of a field; None: there is none, or it has a fault of its own."""
        found: Any = self.fields
        for name in names:
            found = found.get(name) if isinstance(found, dict) else None
        return found if isinstance(found, str) and (*self.place, *names) not in self.source.broken else None

    @cached_property
    def path(self) -> str | None:
        return self.text("match", "path")

    @cached_property
    def template(self) -> Template | None:
        try:
            return parse(self.path) if self.path is not None else None
        except TemplateInvalid:
            return None

    @cached_property
    def methods(self) -> tuple[str, ...] | None:
        """None: every method."""
        given = _mapping(self.fields.get("match")).get("methods")
        return None if given is None else tuple(each for each in _listed(given) if isinstance(each, str))


class WrittenFile:
    """What can be read of a file."""

    def __init__(self, source: LocatedYaml) -> None:
        self.source = source
        self.services, self.groups, self.statuses = (self._mapping(name) for name in ("services", "groups", "errors"))
        paths = self._mapping("paths")
        self.paths = PathRules(
            case_sensitive=paths.get("case_sensitive") is not False,
            trailing_slash="ignore" if paths.get("trailing_slash") == "ignore" else "strict",
            decode_literals=paths.get("decode_literals") is True,
        )
        listed = enumerate(_listed(source.data.get("routes")))
        self.routes = [WrittenRoute(source, ("routes", at), each) for at, each in listed if isinstance(each, dict)]

    def _mapping(self, name: str) -> dict[str, Any]:
        return _mapping(self.source.data.get(name))


def _mapping(value: object) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
