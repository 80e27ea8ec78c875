"""Reads routes.yaml: plain data with the line of every value. What YAML readers would misread is a fault."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import yaml

from strangler_gateway.config.faults import Fault, Place, spell
from strangler_gateway.config.yaml.scalars import Substitution, resolve
from strangler_gateway.config.yaml.tree import MAX_BYTES, MAX_DEPTH, Unreadable, line_of, tree
from strangler_gateway.table.template import quoted

MAX_VALUES = 100_000
MAX_CHARACTERS = 4 * MAX_BYTES

_SHORTEST_SECRET = 4
_OFF_IS_A_WORD = (("breaker",), ("ejection",))
"""Fields that are a mapping or this word: they are never true or false, so no reader is misled."""
_TRAP_IN_VARIABLE = "the variable's value is read differently by YAML readers (on, yes, 012, …); quote it"


@dataclass(slots=True)
class LocatedYaml:
    """The file as data, with its lines. `scalars`: as written; `broken`: places with a fault of their own."""

    data: dict[str, object] = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=dict)
    scalars: list[tuple[Place, yaml.Node]] = field(default_factory=list)
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
        for text, shown in self._hidden.get(place, {}).items():
            if len(text) >= _SHORTEST_SECRET:
                message = message.replace(quoted(text)[1:-1], shown).replace(text, shown)
        return Fault(self.line(place), spell(place), message)

    def hide(self, place: Place, texts: Mapping[str, str]) -> None:
        """Keeps these texts out of faults there or around it; each maps to what is shown instead."""
        for depth in range(len(place) + 1 if texts else 0):
            self._hidden.setdefault(place[:depth], {}).update(texts)


def read(text: str, environ: Mapping[str, str]) -> LocatedYaml:
    """Parses and substitutes; never raises. `faults` holds what is wrong; the rest is as complete as possible."""
    file = LocatedYaml()
    try:
        _Construction(file, Substitution(environ)).run(tree(text))
    except Unreadable as exc:
        file.faults.append(Fault(exc.line, "", str(exc)))
    return file


class _Construction:
    """Turns nodes into data, and notes lines, faults and raw scalars on the way."""

    def __init__(self, file: LocatedYaml, substitution: Substitution) -> None:
        self.file = file
        self.substitution = substitution
        self.values_left = MAX_VALUES
        self.characters_left = MAX_CHARACTERS

    def run(self, root: yaml.Node) -> None:
        if not isinstance(root, yaml.MappingNode):
            raise Unreadable(line_of(root), "the file is not a mapping; it begins with `version: 1`")
        self.file.data = self._mapping(root, ())

    def _value(self, node: yaml.Node, place: Place) -> object:
        self.values_left -= 1
        self.characters_left -= len(node.value) if isinstance(node, yaml.ScalarNode) else 0
        if self.values_left < 0 or self.characters_left < 0 or len(place) > MAX_DEPTH:
            raise Unreadable(
                line_of(node), "the file becomes too large: each use of an alias counts; use fewer aliases"
            )
        self.file.lines.setdefault(place, line_of(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, place)
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, place)
        return [self._value(item, (*place, at)) for at, item in enumerate(node.value)]

    def _mapping(self, node: yaml.MappingNode, place: Place) -> dict[str, object]:
        result: dict[str, object] = {}
        for key, value in node.value:
            where = (*place, key.value)
            if not isinstance(key, yaml.ScalarNode):
                self._refuse(key, place, "a key is a mapping or list; keys are plain words")
            elif key.value == "<<" and not key.style:
                self._refuse(key, where, "merge keys are not YAML 1.2; write the fields, or alias a whole value")
            elif key.value in result:
                first = self.file.lines[where]
                self._refuse(key, where, f"the key {quoted(key.value)} is used twice; it is already on line {first}")
            else:
                if not key.style and not key.value.isdecimal() and (trap := resolve(key.value)[1]):
                    self._refuse(key, where, trap)
                self.file.lines[where] = line_of(key)
                result[key.value] = self._value(value, where)
        return result

    def _scalar(self, node: yaml.ScalarNode, place: Place) -> object:
        self.file.scalars.append((place, node))
        used: dict[str, str] = {}
        value: object = None
        try:
            value = self.substitution.apply(node.value, used)
            value, trap = (value, None) if node.style else resolve(value)
            if trap and not (value == "off" and place[-1:] in _OFF_IS_A_WORD):
                raise ValueError(_TRAP_IN_VARIABLE if used else trap)
        except ValueError as exc:
            self.file.broken.add(place)
            self._refuse(node, place, str(exc))
        self.file.hide(place, used)
        return value

    def _refuse(self, node: yaml.Node, place: Place, message: str) -> None:
        self.file.faults.append(Fault(line_of(node), spell(place), message))
