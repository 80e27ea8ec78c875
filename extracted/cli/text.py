"""What the command prints: JSON or plain tables. Text from messages cannot control the terminal."""

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


def show(
    answer: object, columns: Sequence[str], rows: Iterable[Sequence[object]], *, as_json: bool, empty: str = ""
) -> None:
    """Prints `answer` as one line of JSON, or `rows` as a table; `empty` if there are no rows."""
    if as_json:
        print_json(answer)
    else:
        print_table(columns, rows, empty)


def show_page(
    answer: Mapping[str, Any], columns: Sequence[str], rows: Iterable[Sequence[object]], *, as_json: bool, empty: str
) -> None:
    """The same, and how to ask for the next page if `next` of the answer names one."""
    show(answer, columns, rows, as_json=as_json, empty=empty)
    if answer["next"] and not as_json:
        print(f"… and more: --after {plain(answer['next'])}")


def print_json(value: object) -> None:
    """One line."""
    print(json.dumps(value, ensure_ascii=False))


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], empty: str = "") -> None:
    """Prints `empty` if there are no rows."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(plain(cell)) for cell in row))
    screen = Console(highlight=False)
    screen = screen if screen.is_terminal else Console(highlight=False, width=240)
    screen.print(table if table.row_count else empty)


def fail(code: int, who: str, message: str, as_json: bool) -> NoReturn:
    """Ends the command with an error message on standard error, as text or JSON."""
    print(json.dumps({"error": message}) if as_json else f"{who}: {plain(message)}", file=sys.stderr)
    raise typer.Exit(code)


def lines(value: object, name: str = "") -> Iterator[tuple[str, object]]:
    """(name, value) of everything in a JSON value: `outbox unpublished shop.commands`, 3."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from lines(inner, f"{name} {key}".strip())
    elif isinstance(value, list) and value:
        for number, inner in enumerate(value, 1):
            yield from lines(inner, f"{name} {number}")
    else:
        yield name, value


def plain(value: object) -> str:
    """The text without control characters; `-` for what is missing or empty, `yes` or `no`."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = "-" if value is None or value in ({}, []) else str(value)
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in text)


def moment(time: str | None) -> str:
    """`2026-01-31 12:00:00Z`."""
    if time is None:
        return "-"
    return datetime.fromisoformat(time).astimezone(UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def seconds(text: str) -> int:
    """The seconds in `90`, `90s`, `5m`, `2h`, `1d`. Raises ValueError."""
    found = re.fullmatch(r"(\d{1,7})([smhd]?)", text.strip())
    if found is None:
        raise ValueError(f'"{plain(text)}" is not a time; expected for example 90s, 5m, 2h, 1d')
    return int(found[1]) * _UNITS[found[2]]
