"""What was moved since the routes file was written, as a patch of the file: for a repository that has the last word."""

import re
from collections.abc import Iterator
from difflib import unified_diff

from strangler_gateway.migration.routes_file.edit import Edit, rewrite
from strangler_gateway.table.position import position_of
from strangler_gateway.table.routes import RouteTable


def moved(file: RouteTable, served: RouteTable) -> tuple[Edit, ...]:
    """What the file has to say of each movable that is served elsewhere than the file says."""
    return tuple(
        Edit(name, movable.kind, position_of(served.movables[name]))
        for name, movable in file.movables.items()
        if position_of(movable) != position_of(served.movables[name])
    )


def patch(path: str, text: str, edits: tuple[Edit, ...]) -> str:
    """For `git apply` and `patch -p1`; empty where nothing was moved. Comments stay. Raises NotEdited."""
    lines = unified_diff(_lines(text), _lines(rewrite(text, edits)), f"a/{path}", f"b/{path}")
    return "".join(_ended(lines))


def _lines(text: str) -> list[str]:
    """Ends of lines stay as they are."""
    return re.findall(r"[^\n]*\n|[^\n]+$", text)


def _ended(lines: Iterator[str]) -> Iterator[str]:
    return (line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)
