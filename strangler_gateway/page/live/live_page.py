"""What an open page shows now, and how it differs from what it showed before."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class LiveTable:
    """A table's body as HTML, and its rows by their ids in the order shown."""

    body: str
    rows: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class LivePage:
    """Elements as HTML by their ids; tables by the ids of their bodies."""

    elements: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, LiveTable] = field(default_factory=dict)

    def whole(self) -> Sequence[str]:
        """For a page of unknown state."""
        return [*self.elements.values(), *(table.body for table in self.tables.values())]

    def since(self, before: "LivePage") -> Sequence[str]:
        """What looks different. A table whose rows have come, gone or changed places is sent whole."""
        changed = [html for name, html in self.elements.items() if before.elements.get(name) != html]
        for name, table in self.tables.items():
            changed += _rows(table, before.tables.get(name))
        return changed


def _rows(table: LiveTable, before: LiveTable | None) -> list[str]:
    if before is None or list(table.rows) != list(before.rows):
        return [table.body]
    return [html for name, html in table.rows.items() if before.rows[name] != html]


def message(parts: Sequence[str]) -> bytes:
    """One event for htmx: each element takes the place of the one with its id."""
    lines = "".join(map(_marked, parts)).splitlines()
    return ("".join(f"data: {line}\n" for line in lines if line) + "\n").encode() if parts else b""


def _marked(html: str) -> str:
    """Rows outside of a table would not survive being parsed."""
    marked = html.strip().replace(' id="', ' hx-swap-oob="true" id="', 1)
    return f"<table>{marked}</table>" if marked.startswith(("<tr", "<tbody")) else marked
