"""Query strings and forms as the `qs` package reads them: repeats and brackets make lists and objects."""

import re
from typing import Any
from urllib.parse import unquote

DEPTH = 5
_NEXT = "[]"
_BRACKETED = re.compile(r"\[([^\[\]]*)\]")
_MALFORMED = re.compile(r"%(?![0-9a-fA-F]{2})")

Value = str | list[Any] | dict[str, Any]


class TooManyParameters(Exception):
    """More `&` than the limit of a form allows."""


def parse_query(text: str, max_parameters: int | None = None) -> dict[str, Value]:
    """Text to values by name. Beyond 1000 parameters a query string is cut; a form raises TooManyParameters."""
    if max_parameters is not None and text.count("&") >= max_parameters:
        raise TooManyParameters
    parsed: dict[str, Any] = {}
    for part in text.split("&")[: max_parameters or 1000]:
        if part:
            _put(parsed, *_decoded(part))
    return {key: _finished(value) for key, value in parsed.items()}


def _decoded(part: str) -> tuple[list[str], str]:
    name, _, value = part.partition("=")
    return _path(_unquoted(name)), _unquoted(value)


def _unquoted(text: str) -> str:
    """Text that is no proper percent-encoding stays as it is, but for `+`."""
    spaced = text.replace("+", " ")
    if _MALFORMED.search(spaced):
        return spaced
    try:
        return unquote(spaced, errors="strict")
    except UnicodeDecodeError:
        return spaced


def _path(name: str) -> list[str]:
    """`a[b][]` → a, b, next. The first bracket counts only behind a name; what is too deep stays one key."""
    head, bracket, _ = name.partition("[")
    if not bracket or not head:
        return [name]
    return [head, *(key or _NEXT for key in _BRACKETED.findall(name[len(head) :])[:DEPTH])]


def _put(parent: dict[str, Any], path: list[str], value: str) -> None:
    *parents, last = path
    for key in parents:
        parent = _container(parent, key)
    if last in parent:
        parent, last = _container(parent, last), _NEXT
    parent[str(len(parent)) if last == _NEXT else last] = value


def _container(parent: dict[str, Any], key: str) -> dict[str, Any]:
    present = parent.setdefault(key, {})
    if not isinstance(present, dict):
        present = parent[key] = {"0": present}
    return present


def _finished(value: Any) -> Any:
    """An object whose keys count from 0 is a list."""
    if not isinstance(value, dict):
        return value
    finished = {key: _finished(item) for key, item in value.items()}
    counted = list(finished) == [str(index) for index in range(len(finished))]
    return list(finished.values()) if counted and finished else finished
