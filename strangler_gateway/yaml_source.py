"""Reads routes.yaml: plain data with the line of every value; what YAML would quietly misread becomes a fault."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import yaml

from strangler_gateway.faults import Fault, Place, spell
from strangler_gateway.yaml_scalars import Substitution, resolve

MAX_BYTES = 1 << 20
MAX_DEPTH = 32
MAX_VALUES = 100_000

_TRAP_IN_VARIABLE = "what the variable puts here is read differently by YAML readers (on, yes, 012, …); quote the value"
_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(slots=True)
class Scalar:
    """A value as written, before substitution; `line` is 1-based."""

    place: Place
    line: int
    text: str


@dataclass(slots=True)
class Source:
    """The file as data. `broken` places had a fault of their own; `substituted` ones hold text of the environment."""

    data: dict[str, object] = field(default_factory=dict)
    lines: dict[Place, int] = field(default_factory=dict)
    scalars: list[Scalar] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    broken: set[Place] = field(default_factory=set)
    substituted: set[Place] = field(default_factory=set)

    def line(self, place: Place) -> int:
        """The line of a place, or of the nearest thing around it."""
        while place and place not in self.lines:
            place = place[:-1]
        return self.lines.get(place, 1)

    def fault(self, place: Place, message: str) -> Fault:
        return Fault(self.line(place), spell(place), message)


def read(text: str, environ: Mapping[str, str]) -> Source:
    """Parses and substitutes; never raises. What is wrong stands in `faults`; the rest is as complete as can be."""
    source = Source()
    try:
        root = _tree(text)
    except _Unreadable as exc:
        source.faults.append(Fault(exc.line, "", str(exc)))
        return source
    _Construction(source, Substitution(environ)).run(root)
    return source


class _Unreadable(Exception):
    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True)
class _Node:
    """A node of the file; `value` is text, a list of nodes, or a list of (key node, node)."""

    line: int
    kind: str
    text: str = ""
    plain: bool = False
    items: "list[_Node]" = field(default_factory=list)
    complete: bool = False


def _tree(text: str) -> _Node:
    """The node tree, built from events with a stack of its own: no recursion, so no input can exhaust the stack."""
    if len(text) > MAX_BYTES or len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise _Unreadable(1, f"the file has more than {MAX_BYTES} bytes; a routes file is smaller")
    try:
        return _Assembly().run(yaml.parse(text, Loader=_Loader))
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        raise _Unreadable(mark.line + 1 if mark else 1, f"not YAML: {exc.problem or exc.context}") from exc
    except yaml.YAMLError as exc:
        raise _Unreadable(1, "not YAML: a character that YAML does not allow; save the file as plain UTF-8") from exc
    except UnicodeError as exc:
        raise _Unreadable(1, "not text in UTF-8; save the file as UTF-8") from exc


class _Assembly:
    """Turns parser events into nodes."""

    def __init__(self) -> None:
        self.open: list[_Node] = []
        self.anchors: dict[str, _Node] = {}
        self.root: _Node | None = None

    def run(self, events: Iterator[yaml.Event]) -> _Node:
        for event in events:
            self._take(event, event.start_mark.line + 1 if event.start_mark else 1)
        if self.root is None:
            raise _Unreadable(1, "the file is empty; at least version, services and routes are needed")
        return self.root

    def _take(self, event: yaml.Event, line: int) -> None:
        if isinstance(event, yaml.CollectionEndEvent):
            self.open.pop().complete = True
        elif isinstance(event, yaml.AliasEvent):
            self._place(self._aliased(event, line))
        elif isinstance(event, yaml.NodeEvent):
            self._begin(event, line)

    def _begin(self, event: yaml.NodeEvent, line: int) -> None:
        if getattr(event, "tag", None) is not None:
            raise _Unreadable(line, "a tag (!) is not used here; write the plain value")
        node = _node(event, line)
        self._place(node)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        if node.kind != "scalar":
            self.open.append(node)
            if len(self.open) > MAX_DEPTH:
                raise _Unreadable(line, f"nested deeper than {MAX_DEPTH} levels")

    def _aliased(self, event: yaml.AliasEvent, line: int) -> _Node:
        node = self.anchors.get(event.anchor or "")
        if node is None or not node.complete:
            raise _Unreadable(line, f"the alias *{event.anchor} names nothing that is complete above it")
        return node

    def _place(self, node: _Node) -> None:
        if self.open:
            self.open[-1].items.append(node)
        elif self.root is None:
            self.root = node
        else:
            raise _Unreadable(node.line, "a second YAML document (---) begins here; one file holds one")


def _node(event: yaml.NodeEvent, line: int) -> _Node:
    if isinstance(event, yaml.ScalarEvent):
        return _Node(line, "scalar", text=event.value, plain=event.implicit[0], complete=True)
    return _Node(line, "mapping" if isinstance(event, yaml.MappingStartEvent) else "list")


class _Construction:
    """Turns nodes into data, and notes lines, faults and raw scalars on the way."""

    def __init__(self, source: Source, substitution: Substitution) -> None:
        self.source = source
        self.substitution = substitution
        self.left = MAX_VALUES

    def run(self, root: _Node) -> None:
        if root.kind != "mapping":
            self.source.faults.append(Fault(root.line, "", "the file is not a mapping; it begins with `version: 1`"))
            return
        try:
            self.source.data = self._mapping(root, ())
        except _Unreadable as exc:
            self.source.faults.append(Fault(exc.line, "", str(exc)))
            self.source.data = {}

    def _value(self, node: _Node, place: Place) -> object:
        self.left -= 1
        if self.left < 0:
            raise _Unreadable(node.line, f"more than {MAX_VALUES} values (aliases count each time they are used)")
        self.source.lines.setdefault(place, node.line)
        if node.kind == "mapping":
            return self._mapping(node, place)
        if node.kind == "list":
            return [self._value(item, (*place, at)) for at, item in enumerate(node.items)]
        return self._scalar(node, place)

    def _mapping(self, node: _Node, place: Place) -> dict[str, object]:
        result: dict[str, object] = {}
        for key, value in zip(node.items[::2], node.items[1::2], strict=True):
            name = self._key(key, place, result)
            if name is not None:
                self.source.lines[(*place, name)] = key.line
                result[name] = self._value(value, (*place, name))
        return result

    def _key(self, node: _Node, place: Place, seen: Mapping[str, object]) -> str | None:
        if node.kind != "scalar":
            self._refuse(node, place, "a key is a mapping or list; keys are plain words")
            return None
        where = (*place, node.text)
        if node.plain and node.text == "<<":
            self._refuse(node, where, "merge keys are not YAML 1.2; write the fields, or alias a whole value")
            return None
        if node.text in seen:
            first = self.source.lines[where]
            self._refuse(node, where, f'the key "{node.text}" stands twice; it is already on line {first}')
            return None
        trap = resolve(node.text).trap if node.plain and not node.text.isdecimal() else None
        if trap:
            self._refuse(node, where, trap)
        return node.text

    def _refuse(self, node: _Node, place: Place, message: str) -> None:
        self.source.faults.append(Fault(node.line, spell(place), message))

    def _scalar(self, node: _Node, place: Place) -> object:
        self.source.scalars.append(Scalar(place, node.line, node.text))
        text, problems = self.substitution.apply(node.text)
        resolved = resolve(text) if node.plain else None
        if resolved and resolved.trap:
            problems.append(resolved.trap if text == node.text else _TRAP_IN_VARIABLE)
        if text != node.text:
            self.source.substituted.add(place)
        for problem in problems:
            self.source.broken.add(place)
            self._refuse(node, place, problem)
        return resolved.value if resolved else text
