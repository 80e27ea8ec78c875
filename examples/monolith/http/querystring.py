"""Reads query strings and forms as Express does with the `qs` package (6.10): brackets make lists and objects."""

import re
from typing import Any
from urllib.parse import unquote

from examples.monolith.http.nesting import PROTOTYPE, as_ordered, finished, merged, wrapped

MAX_PARAMETERS = 1000
MAX_DEPTH = 5
MAX_INDEX = 20
MAX_INDEX_OF_FORM = 100
_BRACKETED = re.compile(r"\[[^\[\]]*\]")
_MALFORMED = re.compile(r"%(?![0-9a-fA-F]{2})")

Value = str | bool | list[Any] | dict[str, Any]


class TooManyParameters(Exception):
    """A form has more parameters than allowed."""


def parse_query(text: str) -> dict[str, Value]:
    """Values by name; parameters beyond 1000 are dropped."""
    return _parsed(text, MAX_DEPTH, MAX_INDEX)


def parse_form(text: str) -> dict[str, Value]:
    """As parse_query, with no limit of depth. Raises TooManyParameters, RecursionError."""
    separators = text.count("&")
    if separators >= MAX_PARAMETERS:
        raise TooManyParameters
    return _parsed(text, len(text), max(MAX_INDEX_OF_FORM, separators))


def _parsed(text: str, max_depth: int, max_index: int) -> dict[str, Value]:
    parsed: dict[str, Any] = {}
    for name, values in as_ordered(_collected(text)).items():
        value = values[0] if len(values) == 1 else values
        for key in reversed(_path(name, max_depth)):
            value = wrapped(key, value, max_index)
        parsed = merged(parsed, value)
    return {key: finished(value) for key, value in as_ordered(parsed).items()}


def _collected(text: str) -> dict[str, list[str]]:
    """Texts by name, without the empty name and the one that would set a prototype."""
    collected: dict[str, list[str]] = {}
    for part in text.split("&")[:MAX_PARAMETERS]:
        closing = part.find("]=")
        at = part.find("=") if closing < 0 else closing + 1
        name, value = (part, "") if at < 0 else (part[:at], part[at + 1 :])
        collected.setdefault(_unquoted(name), []).append(_unquoted(value))
    return {name: values for name, values in collected.items() if name not in ("", PROTOTYPE)}


def _unquoted(text: str) -> str:
    """Decodes `+` and percent-encoding; malformed percent-encoding stays as it is."""
    spaced = text.replace("+", " ")
    if _MALFORMED.search(spaced):
        return spaced
    try:
        return unquote(spaced, errors="strict")
    except UnicodeDecodeError:
        return spaced


def _path(name: str, max_depth: int) -> list[str]:
    """`a[b][]` → a, [b], []. Drops text between and after brackets; what is too deep stays one key."""
    brackets = list(_BRACKETED.finditer(name))
    head = name[: brackets[0].start()] if brackets else name
    keys = [bracket[0] for bracket in brackets[:max_depth]]
    too_deep = [f"[{name[bracket.start() :]}]" for bracket in brackets[max_depth : max_depth + 1]]
    return [*([head] if head else []), *keys, *too_deep]
