"""Reads routes.yaml: plain data with the line of every value; what YAML would quietly misread becomes a fault."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from strangler_gateway.config.yaml.scalars import Substitution, resolve
from strangler_gateway.config.yaml.tree import MAX_BYTES, Node, Unreadable, tree
from strangler_gateway.table.faults import Fault, Place, quoted, spell

__all__ = ["MAX_BYTES", "Scalar", "Source", "read"]

MAX_VALUES = 100_000
MAX_CHARACTERS = 4 * MAX_BYTES

_SHORTEST_SECRET = 4
_TRAP_IN_VARIABLE = "what the variable puts here is read differently by YAML readers (on, yes, 012, …); quote the value"


@dataclass(slots=True)
class Scalar:
    """A value as written, before substitution, and the lines (1-based) that it begins and ends on."""

    place: Place
    line: int
    end_line: int
    text: str


@dataclass(slots=True)
class Source:
    """The file as data. `broken` places had a fault of their own."""

    data: dict[str, object] = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=dict)
    scalars: list[Scalar] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    broken: set[Place] = field(default_factory=set)
    _hidden: dict[Place, dict[str, str]] = field(default_factory=dict)

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest thing around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def fault(self, place: Place, message: str) -> Fault:
        """A fault at a place, without the texts that are hidden there or inside it."""
        return Fault(self.line(place), spell(place), _without(message, self._hidden.get(place, {})))

    def hide(self, place: Place, texts: Mapping[str, str]) -> None:
        """These texts never occur in a fault there or around it; each with what is shown instead."""
        for depth in range(len(place) + 1):
            self._hidden.setdefault(place[:depth], {}).update(texts)


def _without(message: str, texts: Mapping[str, str]) -> str:
    for text, shown in texts.items():
        if len(text) >= _SHORTEST_SECRET:
            message = message.replace(quoted(text)[1:-1], shown).replace(text, shown)
    return message


def read(text: str, environ: Mapping[str, str]) -> Source:
    """Parses and substitutes; never raises. What is wrong stands in `faults`; the rest is as complete as can be."""
    source = Source()
    try:
        root = tree(text)
    except Unreadable as exc:
        source.faults.append(Fault(exc.line, "", str(exc)))
        return source
    _Construction(source, Substitution(environ)).run(root)
    return source


class _Construction:
    """Turns nodes into data, and notes lines, faults and raw scalars on the way."""

    def __init__(self, source: Source, substitution: Substitution) -> None:
        self.source = source
        self.substitution = substitution
        self.values_left = MAX_VALUES
        self.characters_left = MAX_CHARACTERS

    def run(self, root: Node) -> None:
        if root.kind != "mapping":
            self.source.faults.append(Fault(root.line, "", "the file is not a mapping; it begins with `version: 1`"))
            return
        try:
            self.source.data = self._mapping(root, ())
        except Unreadable as exc:
            self.source.faults.append(Fault(exc.line, "", str(exc)))
            self.source.data = {}

    def _value(self, node: Node, place: Place) -> object:
        self.values_left -= 1
        self.characters_left -= len(node.text)
        if self.values_left < 0 or self.characters_left < 0:
            raise Unreadable(node.line, "grows too large: aliases count each time they are used; use fewer")
        self.source.lines.setdefault(place, node.line)
        if node.kind == "mapping":
            return self._mapping(node, place)
        if node.kind == "list":
            return [self._value(item, (*place, at)) for at, item in enumerate(node.items)]
        return self._scalar(node, place)

    def _mapping(self, node: Node, place: Place) -> dict[str, object]:
        result: dict[str, object] = {}
        for key, value in node.pairs():
            name = self._key(key, place, result)
            if name is not None:
                self.source.lines[(*place, name)] = key.line
                result[name] = self._value(value, (*place, name))
        return result

    def _key(self, node: Node, place: Place, seen: Mapping[str, object]) -> str | None:
        if node.kind != "scalar":
            self._refuse(node, place, "a key is a mapping or list; keys are plain words")
            return None
        where = (*place, node.text)
        if node.plain and node.text == "<<":
            self._refuse(node, where, "merge keys are not YAML 1.2; write the fields, or alias a whole value")
            return None
        if node.text in seen:
            first = self.source.lines[where]
            self._refuse(node, where, f"the key {quoted(node.text)} stands twice; it is already on line {first}")
            return None
        trap = resolve(node.text).trap if node.plain and not node.text.isdecimal() else None
        if trap:
            self._refuse(node, where, trap)
        return node.text

    def _refuse(self, node: Node, place: Place, message: str) -> None:
        self.source.faults.append(Fault(node.line, spell(place), message))

    def _scalar(self, node: Node, place: Place) -> object:
        self.source.scalars.append(Scalar(place, node.line, node.end_line, node.text))
        text, problems, used = self.substitution.apply(node.text)
        resolved = resolve(text) if node.plain else None
        if resolved and resolved.trap:
            problems.append(resolved.trap if not used else _TRAP_IN_VARIABLE)
        if used:
            self.source.hide(place, used)
        for problem in problems:
            self.source.broken.add(place)
            self._refuse(node, place, problem)
        return resolved.value if resolved else text
