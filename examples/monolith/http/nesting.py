"""Merges nested names as the `qs` package (6.10) does. Lists have gaps while they grow."""

import re
from collections.abc import Iterator
from typing import Any

PROTOTYPE = "__proto__"
_INDEX = re.compile(r"0|[1-9][0-9]{0,9}")
_MAX_ARRAY_INDEX = 2**32 - 2
_GAP = object()


def wrapped(key: str, value: Any, max_index: int) -> Any:
    """A list or object that holds the value under the key."""
    if key == "[]":
        return value if isinstance(value, list) else [value]
    name = key[1:-1] if key[0] == "[" and key[-1] == "]" else key
    if name != key and _INDEX.fullmatch(name) and int(name) <= max_index:
        return [_GAP] * int(name) + [value]
    return {} if name == PROTOTYPE else {name: value}


def merged(target: Any, source: Any) -> Any:
    """Merges source into target; an empty text adds nothing."""
    match target, source:
        case _, "":
            return target
        case list(), str():
            return [*target, source]
        case dict(), str():
            return target if source == PROTOTYPE else target | {source: True}
        case dict() | list(), dict() | list():
            return _united(target, source)
        case _:
            return [target, *(source if isinstance(source, list) else [source])]


def _united(target: Any, source: Any) -> Any:
    if isinstance(target, list) and isinstance(source, list):
        for index, item in enumerate(source):
            _add(target, index, item)
        return target
    united = dict(_members(target))
    for key, value in _members(source):
        united[key] = merged(united[key], value) if key in united else value
    return united


def _add(items: list[Any], index: int, item: Any) -> None:
    """Puts the item at its index, or at the end when the index is taken."""
    if item is _GAP:
        return
    items += [_GAP] * (index + 1 - len(items))
    if items[index] is _GAP:
        items[index] = item
    elif isinstance(items[index], dict | list) and isinstance(item, dict | list):
        items[index] = merged(items[index], item)
    else:
        items.append(item)


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    else:
        yield from ((str(index), item) for index, item in enumerate(value) if item is not _GAP)


def as_ordered(members: dict[str, Any]) -> dict[str, Any]:
    """In JavaScript's order: keys that could be indices come first, ascending."""
    indices = sorted(int(key) for key in members if _INDEX.fullmatch(key) and int(key) <= _MAX_ARRAY_INDEX)
    return {str(index): members[str(index)] for index in indices} | members


def finished(value: Any) -> Any:
    """Without gaps, in JavaScript's order."""
    match value:
        case dict():
            return {key: finished(item) for key, item in as_ordered(value).items()}
        case list():
            return [finished(item) for item in value if item is not _GAP]
        case _:
            return value
