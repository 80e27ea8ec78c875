"""Words for people on a terminal. What comes from requests or files never reaches the terminal raw."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

Place = Mapping[str, Any]


def console() -> Console:
    """Stdout; when it is no terminal, wide enough that no cell is cut."""
    screen = Console(highlight=False)
    return screen if screen.is_terminal else Console(highlight=False, width=240)


def plain(text: object) -> str:
    """The text without what would steer a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in str(text))


def table(columns: Sequence[str], rows: Sequence[Sequence[object]], numbers: frozenset[str] = frozenset()) -> Table:
    """A plain table; columns in `numbers` stand to the right."""
    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(
            column, justify="right" if column in numbers else "left", no_wrap=column in numbers, overflow="fold"
        )
    for row in rows:
        shown.add_row(*(Text(plain(cell)) for cell in row))
    return shown


def where(place: Place) -> str:
    """`canary 12.5 %`, `legacy`."""
    share = place.get("share")
    return f"{place['state']} {share:g} %" if share is not None else str(place["state"])


def command(admin: str | None, *words: str) -> str:
    """A command to paste, for the same gateway."""
    return shlex.join(("strangler", *words, *(("--admin", admin) if admin else ())))


def moment(time: str | None) -> str:
    """`2026-01-31 12:00:00Z`."""
    return f"{time[:10]} {time[11:19]}Z" if time else "-"
