"""Which routes `strangler routes` lists."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

Row = Mapping[str, Any]
"""A route as the admin API shows it."""


@dataclass(frozen=True, slots=True)
class RouteFilter:
    """A route passes if it passes every part; a part that is empty takes every route."""

    names: frozenset[str] = frozenset()
    """Of groups or routes."""
    states: frozenset[str] = frozenset()
    moved: bool = False
    errors: bool = False

    def __bool__(self) -> bool:
        """Whether anything is filtered."""
        return self != RouteFilter()

    def unknown(self, rows: Iterable[Row]) -> list[str]:
        """Names that no route and no group has."""
        return sorted(self.names.difference(name for row in rows for name in (row["id"], row["unit"])))

    def takes(self, row: Row) -> bool:
        """Whether the route is listed."""
        return (
            (not self.names or not self.names.isdisjoint((row["id"], row["unit"])))
            and (not self.states or row["state"] in self.states)
            and not (self.moved and row["state"] == "legacy")
            and not (self.errors and not _has_errors(row))
        )


def _has_errors(row: Row) -> bool:
    return bool(row["failovers"] or any(row["errors"].values()) or any(row["unanswered"].values()))
