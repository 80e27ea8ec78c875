"""How two JSON trees differ, place by place, under what routes.yaml says of ignored and unordered ones. Pure."""

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import Any

from strangler_gateway.table.json_path import Path, Step, Wildcard
from strangler_gateway.table.rules.accept import DifferenceKind, folded

MAX_DIFFERENCES = 20
MAX_VALUE = 200
_MAX_NAME = 64
_IDENTIFIER = re.compile(r"[A-Za-z_@][\w@-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Difference:
    """`where`: status, header NAME, body, or a JSON path; each side as its type, and as its value where allowed."""

    where: str
    legacy: str
    extracted: str
    kind: DifferenceKind = "value"

    @property
    def place(self) -> str:
        """`where` with each index folded to [*]: an element that has moved on is still the same difference."""
        return folded(self.where)

    @property
    def name(self) -> str:
        """Its kind and place."""
        return f"{self.kind} {self.place}"


class Node:
    """What is written in routes.yaml about a place and the places under it."""

    __slots__ = ("children", "ignored", "unordered")

    def __init__(self) -> None:
        self.children: dict[Step, Node] = {}
        self.ignored = False
        self.unordered = False

    def at(self, path: Path) -> "Node":
        node = self
        for step in path:
            node = node.children.setdefault(step, Node())
        return node


Nodes = tuple[Node, ...]


class JsonComparison:
    """One walk through two JSON trees, side by side."""

    def __init__(self, show_values: bool) -> None:
        self.found: list[Difference] = []
        self._show = show_values

    def values(self, legacy: Any, extracted: Any, nodes: Nodes, where: str) -> None:
        if len(self.found) >= MAX_DIFFERENCES or any(node.ignored for node in nodes):
            return
        if type(legacy) is not type(extracted):
            self._add(where, legacy, extracted, "type")
        elif isinstance(legacy, dict):
            self._objects(legacy, extracted, nodes, where)
        elif isinstance(legacy, list):
            self._arrays(legacy, extracted, nodes, where)
        elif legacy != extracted:
            self._add(where, legacy, extracted)

    def _objects(self, legacy: dict[str, Any], extracted: dict[str, Any], nodes: Nodes, where: str) -> None:
        for name in dict.fromkeys((*legacy, *extracted)):
            below, place = _below(nodes, name), where + _member(name)
            if name in legacy and name in extracted:
                self.values(legacy[name], extracted[name], below, place)
            elif not any(node.ignored for node in below):
                kind: DifferenceKind = "missing" if name in legacy else "extra"
                self._add(place, legacy.get(name, _ABSENT), extracted.get(name, _ABSENT), kind)

    def _arrays(self, legacy: list[Any], extracted: list[Any], nodes: Nodes, where: str) -> None:
        if any(node.unordered for node in nodes):
            self._unordered(legacy, extracted, nodes, where)
        elif len(legacy) != len(extracted):
            self._add(where, legacy, extracted, "missing" if len(legacy) > len(extracted) else "extra")
        else:
            self._elements(legacy, extracted, nodes, where)

    def _elements(self, legacy: list[Any], extracted: list[Any], nodes: Nodes, where: str) -> None:
        """Of arrays of the same length. The same elements in another order are one difference."""
        before = len(self.found)
        for index, (ours, theirs) in enumerate(zip(legacy, extracted, strict=True)):
            self.values(ours, theirs, _below(nodes, index), f"{where}[{index}]")
        below = _below(nodes, None)
        if len(self.found) > before and _counted(legacy, below) == _counted(extracted, below):
            del self.found[before:]
            text = f"array({len(legacy)})"
            self.found.append(Difference(where, text, f"{text}, in another order", "order"))

    def _unordered(self, legacy: list[Any], extracted: list[Any], nodes: Nodes, where: str) -> None:
        below = _below(nodes, None)
        ours, theirs = _counted(legacy, below), _counted(extracted, below)
        only_ours, only_theirs = (ours - theirs).total(), (theirs - ours).total()
        if only_ours or only_theirs:
            text = "array({}), {} of them only here"
            seen = (text.format(len(legacy), only_ours), text.format(len(extracted), only_theirs))
            kind: DifferenceKind = "value" if only_ours and only_theirs else "missing" if only_ours else "extra"
            self.found.append(Difference(where, *seen, kind))

    def _add(self, where: str, legacy: Any, extracted: Any, kind: DifferenceKind = "value") -> None:
        if len(self.found) < MAX_DIFFERENCES:
            self.found.append(Difference(where, self._described(legacy), self._described(extracted), kind))

    def _described(self, value: Any) -> str:
        kind = f"array({len(value)})" if isinstance(value, list) else _KINDS[type(value)]
        if not self._show or value is _ABSENT or value is None:
            return kind
        return f"{kind} {json.dumps(value)[:MAX_VALUE]}"


class _Absent:
    """Marks a member that one side does not have."""


_ABSENT = _Absent()
_KINDS = {
    dict: "object",
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    type(None): "null",
    _Absent: "absent",
}


def _below(nodes: Nodes, step: str | int | None) -> Nodes:
    """What is written about the next place; None: an element of an unordered array, which has no index."""
    wildcard = Wildcard.MEMBER if isinstance(step, str) else Wildcard.ELEMENT
    found = [node.children.get(wildcard) for node in nodes]
    if step is not None:
        found += [node.children.get(step) for node in nodes]
    return tuple(node for node in found if node is not None)


def _member(name: str) -> str:
    return f".{name}" if _IDENTIFIER.fullmatch(name) and len(name) <= _MAX_NAME else f"[{json.dumps(name[:_MAX_NAME])}]"


def _counted(values: list[Any], below: Nodes) -> Counter[str]:
    """How often each value is there, in any order."""
    return Counter(_canonical(value, below) for value in values)


def _canonical(value: Any, nodes: Nodes) -> str:
    """A text that is equal for values that compare equal under the rules."""
    return json.dumps(_reduced(value, nodes), sort_keys=True)


def _reduced(value: Any, nodes: Nodes) -> Any:
    """The value without what is ignored, arrays without order sorted."""
    if isinstance(value, dict):
        members = {name: (inner, _below(nodes, name)) for name, inner in value.items()}
        return {
            name: _reduced(inner, below)
            for name, (inner, below) in members.items()
            if not any(node.ignored for node in below)
        }
    if isinstance(value, list):
        if any(node.unordered for node in nodes):
            return sorted((_reduced(inner, _below(nodes, None)) for inner in value), key=_sort_key)
        return [_reduced(inner, _below(nodes, index)) for index, inner in enumerate(value)]
    return value


def _sort_key(value: Any) -> str:
    return json.dumps(value, sort_keys=True)
