"""The query string as Express 4 reads it (the `qs` package, extended): brackets nest, repeats become lists."""

import re
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

Value: TypeAlias = str | bool | list["Value"] | dict[str, "Value"]
Query: TypeAlias = dict[str, Value]

_MOST_PARAMETERS = 1000
_MOST_INDEX = 20
_DEEPEST = 5
_BRACKETS = re.compile(r"\[([^\[\]]*)\]")
_ESCAPES = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")


def parse(text: str) -> Query:
    """`text` is the part after the question mark, Latin-1 as Node hands it over."""
    pairs: Query = {}
    for part in text.split("&")[:_MOST_PARAMETERS]:
        key, value = _pair(part)
        pairs[key] = _concat(pairs[key], value) if key in pairs else value
    query: Query = {}
    for key, value in pairs.items():
        if key:
            root, *inner = _segments(key)
            nested = _nested(inner, value)
            query[root] = _merged(query[root], nested) if root in query else nested
    return query


def decode(text: str) -> str | None:
    """decodeURIComponent (ECMA-262 §19.2.6.2); None where it throws URIError."""
    if _BAD_ESCAPE.search(text):
        return None
    try:
        return _ESCAPES.sub(lambda found: unquote_to_bytes(found[0]).decode(), text)
    except UnicodeDecodeError:
        return None


def as_string(value: Value) -> str:
    """What String(value) gives in JavaScript."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case list():
            return ",".join(map(as_string, value))
        case dict():
            return "[object Object]"


def _pair(part: str) -> tuple[str, Value]:
    bracket = part.find("]=")
    at = part.find("=") if bracket < 0 else bracket + 1
    key, value = (part, "") if at < 0 else (part[:at], part[at + 1 :])
    return _component(key), _component(value)


def _component(text: str) -> str:
    spaced = text.replace("+", " ")
    decoded = decode(spaced)
    return spaced if decoded is None else decoded


def _segments(key: str) -> list[str]:
    """`a[b][]` → ["a", "[b]", "[]"]; what is nested too deep stays one segment."""
    children = list(_BRACKETS.finditer(key))
    if not children:
        return [key]
    kept = children[:_DEEPEST]
    parent = key[: children[0].start()]
    rest = [f"[{key[children[_DEEPEST].start() :]}]"] if len(children) > _DEEPEST else []
    segments = [found[0] for found in kept] + rest
    return [parent, *segments] if parent else [segments[0][1:-1], *segments[1:]]


def _nested(segments: list[str], value: Value) -> Value:
    for segment in reversed(segments):
        name = segment[1:-1]
        if segment == "[]":
            value = value if isinstance(value, list) else [value]
        elif name.isascii() and name.isdigit() and str(int(name)) == name and int(name) <= _MOST_INDEX:
            value = [value]
        else:
            value = {name: value}
    return value


def _concat(first: Value, second: Value) -> list[Value]:
    return [item for part in (first, second) for item in (part if isinstance(part, list) else [part])]


def _merged(target: Value, source: Value) -> Value:
    if isinstance(target, dict) and isinstance(source, dict | list):
        return _merged_objects(target, source if isinstance(source, dict) else _keyed(source))
    if isinstance(target, dict):
        return target | {as_string(source): True}
    if isinstance(target, list) and isinstance(source, dict):
        return _merged_objects(_keyed(target), source)
    return _concat(target, source)


def _merged_objects(target: Query, source: Query) -> Query:
    return target | {key: _merged(target[key], value) if key in target else value for key, value in source.items()}


def _keyed(items: list[Value]) -> Query:
    return {str(index): item for index, item in enumerate(items)}
