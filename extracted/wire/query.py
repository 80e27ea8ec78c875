"""Reads a query string as Express 4 does (the `qs` package, extended): brackets nest, repeated keys become lists."""

import re
from typing import TypeAlias
from urllib.parse import unquote_to_bytes

from extracted.wire import nesting
from extracted.wire.nesting import PROTOTYPE, ObjectDraft, Value

Query: TypeAlias = dict[str, Value]

_MOST_PARAMETERS = 1000
_DEEPEST = 5
_LARGEST_INDEX = 20
_BRACKETS = re.compile(r"\[[^\[\]]*\]")
_ESCAPES = re.compile(r"(?:%[0-9a-fA-F]{2})+")
_BAD_ESCAPE = re.compile(r"%(?![0-9a-fA-F]{2})")


def parse(text: str, *, deepest: int = _DEEPEST, largest_index: int = _LARGEST_INDEX) -> Query:
    """`text`: the part after the question mark, as Latin-1, as Node passes it on."""
    query = ObjectDraft()
    for key, texts in nesting.ordered(_pairs(text)):
        nesting.put(query, _segments(key, deepest), texts, largest_index)
    return nesting.members(query)


def decode(text: str) -> str | None:
    """decodeURIComponent (ECMA-262 §19.2.6.2); None if it throws URIError."""
    if _BAD_ESCAPE.search(text):
        return None
    try:
        return _ESCAPES.sub(lambda found: unquote_to_bytes(found[0]).decode(), text)
    except UnicodeDecodeError:
        return None


def as_string(value: Value) -> str:
    """String(value) of JavaScript."""
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case list():
            return ",".join(map(as_string, value))
        case dict():
            return "[object Object]"


def _pairs(text: str) -> dict[str, list[str]]:
    """Key → texts. Skips empty keys and the key that would set a prototype."""
    pairs: dict[str, list[str]] = {}
    for part in text.split("&")[:_MOST_PARAMETERS]:
        bracket = part.find("]=")
        at = part.find("=") if bracket < 0 else bracket + 1
        key, value = (part, "") if at < 0 else (part[:at], part[at + 1 :])
        if (name := _component(key)) not in ("", PROTOTYPE):
            pairs.setdefault(name, []).append(_component(value))
    return pairs


def _component(text: str) -> str:
    spaced = text.replace("+", " ")
    decoded = decode(spaced)
    return spaced if decoded is None else decoded


def _segments(key: str, deepest: int) -> list[str]:
    """`a[b][]` → ["a", "[b]", "[]"]. What nests too deep stays one segment."""
    children = list(_BRACKETS.finditer(key))
    parent = key[: children[0].start()] if children else key
    rest = [f"[{key[found.start() :]}]" for found in children[deepest : deepest + 1]]
    return [*([parent] if parent else []), *(found[0] for found in children[:deepest]), *rest]
