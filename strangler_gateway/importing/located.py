"""YAML and JSON of other proxies as plain values, each mapping with its line."""

import re
from typing import Any

import yaml

from strangler_gateway.config.yaml.tree import Unreadable, line_of, tree
from strangler_gateway.importing.found import MAX_BYTES, ImportRefused

MAX_DEPTH = 100
MAX_VALUES = 300_000


class LineDict(dict[str, Any]):
    """`line`: where it begins."""

    line: int = 1


def documents(source: str) -> list[Any]:
    """Every document of the source. Raises ImportRefused."""
    found, first, budget = [], 1, [MAX_VALUES]
    for part in re.split(r"^---[^\n]*$", source, flags=re.MULTILINE):
        if re.sub(r"#[^\n]*", "", part).strip():
            try:
                root = tree(part, MAX_BYTES, MAX_DEPTH, MAX_VALUES)
            except Unreadable as exc:
                raise ImportRefused(f"line {first + exc.line - 1}: {exc}") from exc
            found.append(_value(root, first - 1, budget))
        first += part.count("\n")
    return found


def _value(node: yaml.Node, before: int, budget: list[int]) -> Any:
    budget[0] -= 1
    if budget[0] < 0:
        raise ImportRefused(f"the file has more than {MAX_VALUES} values")
    if isinstance(node, yaml.ScalarNode):
        return node.value
    if isinstance(node, yaml.SequenceNode):
        return [_value(each, before, budget) for each in node.value]
    found = LineDict({str(_value(key, before, budget)): _value(each, before, budget) for key, each in node.value})
    found.line = before + line_of(node)
    return found


def inside(value: Any, *names: str) -> Any:
    """The value at these names, one in the other; None where there is none."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def entries(value: Any) -> list[LineDict]:
    """The mappings of a list."""
    return [each for each in value if isinstance(each, LineDict)] if isinstance(value, list) else []


def everywhere(value: Any, name: str) -> list[Any]:
    """All values of that name, however deep."""
    if isinstance(value, list):
        return [found for each in value for found in everywhere(each, name)]
    if not isinstance(value, dict):
        return []
    here = [value[name]] if name in value else []
    return here + [found for key, each in value.items() if key != name for found in everywhere(each, name)]


def text(value: Any) -> str:
    """A text of the file; what is none is empty."""
    return value if isinstance(value, str) else ""


def number(value: Any, otherwise: float) -> float:
    """A number of the file; what is none counts as `otherwise`."""
    return float(value) if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}(?:\.[0-9]{1,9})?", value) else otherwise
