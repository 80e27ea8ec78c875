"""Text and tables for a terminal. What comes from requests or files never reaches the terminal raw.

`rich` draws on terminals, and what simple columns cannot show. It is imported then: that takes longer than a flip.
"""

import os
import shlex
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

Place = Mapping[str, Any]
Row = Sequence[object]

WIDTH = 240
"""Of a table that goes to no terminal."""


def plain(text: object) -> str:
    """The text with every character escaped that would control a terminal."""
    return "".join(c if c.isprintable() or c == "\n" else f"\\x{ord(c):02x}" for c in str(text))


def where(place: Place) -> str:
    """`canary 12.5 %`, `legacy`."""
    share = place.get("share")
    return f"{place['state']} {share:g} %" if share is not None else str(place["state"])


def moment(time: str | None) -> str:
    """`2026-01-31 12:00:00Z`."""
    return f"{time[:10]} {time[11:19]}Z" if time else "-"


def example_lines(example: Mapping[str, Any]) -> list[str]:
    """A kind of difference as text: the request, how often, and each place with both sides."""
    at = datetime.fromtimestamp(example["at"], UTC).isoformat()
    times = "once" if example["count"] == 1 else f"{example['count']} times"
    differences = example["differences"]
    width = max((len(one["where"]) for one in differences), default=0)
    head = f"{example['method']} {example['path']}: {times}, last {moment(at)}"
    return [
        head,
        *(f"  {one['where']:{width}}  legacy {one['legacy']}, extracted {one['extracted']}" for one in differences),
    ]


def show_silent(answer: Mapping[str, Any]) -> None:
    """Which gateways have not answered, so that their part is not in what was shown."""
    for sentence in answer["silent"]:
        print(plain(sentence))


def to_paste(admin: str | None, *words: str) -> str:
    """A command to paste, for the same gateway."""
    return shlex.join(("strangler", *words, *(("--admin", admin) if admin else ())))


def show_progress(text: str) -> None:
    """Replaces the line of progress on a terminal, and writes nothing elsewhere. An empty text clears it."""
    if sys.stderr.isatty():
        print(f"\r\x1b[K{plain(text)}", end="", file=sys.stderr, flush=True)


def show_lines(lines: Iterable[tuple[str, str]]) -> None:
    """Lines, each with its rich style; a terminal wraps them by itself."""
    for text, style in lines:
        if _drawn():
            from rich.text import Text

            _console().print(Text(plain(text), style=style), soft_wrap=True)
        else:
            print(plain(text))


def show_table(columns: Sequence[str], rows: Sequence[Row], numbers: frozenset[str] = frozenset()) -> None:
    """A table without lines; columns in `numbers` are aligned to the right."""
    cells = [tuple(columns), *(tuple(map(plain, row)) for row in rows)]
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    simple = all(_is_simple(cell) for row in cells for cell in row)
    if _drawn() or not simple or sum(widths) + 2 * len(widths) > WIDTH:
        _console().print(_table(columns, rows, numbers))
        return
    aligned = [str.rjust if column in numbers else str.ljust for column in columns]
    for row in cells:
        print("  ".join(align(cell, width) for align, cell, width in zip(aligned, row, widths, strict=True)))


def _is_simple(cell: str) -> bool:
    return cell.replace("→", "").isascii() and "\n" not in cell and not cell.endswith(" ")


@contextmanager
def live_row(columns: Sequence[str]) -> Iterator[Callable[[Row], None]]:
    """On a terminal, a table of one row that is replaced; nothing is written elsewhere."""
    from rich.live import Live

    screen = _console()
    if not screen.is_terminal:
        yield lambda row: None
        return
    with Live(console=screen, auto_refresh=False) as live:
        yield lambda row: live.update(_table(columns, [row], frozenset(columns)), refresh=True)


Picture = Callable[[Sequence[str], Sequence[str], Sequence[Row], frozenset[str]], None]
"""Draws lines above a table: lines, columns, rows, columns of numbers."""


@contextmanager
def live_screen() -> Iterator[Picture | None]:
    """On a terminal, a picture that fills it and is replaced; None elsewhere."""
    if not sys.stdout.isatty():
        yield None
        return
    from rich.console import Group
    from rich.live import Live
    from rich.text import Text

    with Live(console=_console(), auto_refresh=False, screen=True) as live:

        def draw(lines: Sequence[str], columns: Sequence[str], rows: Sequence[Row], numbers: frozenset[str]) -> None:
            head = [Text(plain(line)) for line in lines]
            live.update(Group(*head, Text(), _table(columns, rows, numbers)), refresh=True)

        yield draw


def _drawn() -> bool:
    """Whether rich decides how the text looks: on a terminal, or as the environment says."""
    return sys.stdout.isatty() or not {"FORCE_COLOR", "TTY_COMPATIBLE"}.isdisjoint(os.environ)


def _console() -> Any:
    """Stdout; when it is not a terminal, wide enough that no cell is cut."""
    from rich.console import Console

    screen = Console(highlight=False)
    return screen if screen.is_terminal else Console(highlight=False, width=WIDTH)


def _table(columns: Sequence[str], rows: Sequence[Row], numbers: frozenset[str]) -> Any:
    from rich.table import Table
    from rich.text import Text

    shown = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        shown.add_column(
            column, justify="right" if column in numbers else "left", no_wrap=column in numbers, overflow="fold"
        )
    for row in rows:
        shown.add_row(*(Text(plain(cell)) for cell in row))
    return shown
