"""YAML text as a tree of nodes with their lines, built without recursion: no input can exhaust the stack."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

MAX_BYTES = 1 << 20
MAX_DEPTH = 32

_Loader: type = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class Unreadable(Exception):
    """The text is no YAML that can be taken; `line` is 1-based."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True)
class Node:
    """A node of the file. `kind` is scalar, list or mapping; a mapping's items are key, value, key, value, …"""

    line: int
    end_line: int
    kind: str
    text: str = ""
    plain: bool = False
    items: "list[Node]" = field(default_factory=list)
    complete: bool = False

    def pairs(self) -> "Iterator[tuple[Node, Node]]":
        """A mapping's keys and values."""
        return zip(self.items[::2], self.items[1::2], strict=True)


def tree(text: str, max_bytes: int = MAX_BYTES, max_depth: int = MAX_DEPTH) -> Node:
    """The node tree, built from events with a stack of its own: no recursion, so no input can exhaust the stack."""
    if len(text) > max_bytes or len(text.encode("utf-8", "surrogatepass")) > max_bytes:
        raise Unreadable(1, f"the file has more than {max_bytes} bytes")
    try:
        return _Assembly(max_depth).run(yaml.parse(text, Loader=_Loader))
    except yaml.MarkedYAMLError as exc:
        mark = exc.problem_mark or exc.context_mark
        raise Unreadable(mark.line + 1 if mark else 1, f"not YAML: {exc.problem or exc.context}") from exc
    except yaml.YAMLError as exc:
        raise Unreadable(1, "not YAML: a character that YAML does not allow; save the file as plain UTF-8") from exc
    except UnicodeError as exc:
        raise Unreadable(1, "not text in UTF-8; save the file as UTF-8") from exc


class _Assembly:
    """Turns parser events into nodes."""

    def __init__(self, max_depth: int) -> None:
        self.max_depth = max_depth
        self.open: list[Node] = []
        self.anchors: dict[str, Node] = {}
        self.root: Node | None = None

    def run(self, events: Iterator[yaml.Event]) -> Node:
        for event in events:
            self._take(event, event.start_mark.line + 1 if event.start_mark else 1)
        if self.root is None:
            raise Unreadable(1, "the file is empty; at least version, services and routes are needed")
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
            raise Unreadable(line, "a tag (!) is not used here; write the plain value")
        node = _node(event, line)
        self._place(node)
        if event.anchor is not None:
            self.anchors[event.anchor] = node
        if node.kind != "scalar":
            self.open.append(node)
            if len(self.open) > self.max_depth:
                raise Unreadable(line, f"nested deeper than {self.max_depth} levels")

    def _aliased(self, event: yaml.AliasEvent, line: int) -> Node:
        node = self.anchors.get(event.anchor or "")
        if node is None or not node.complete:
            raise Unreadable(line, f"the alias *{event.anchor} names nothing that is complete above it")
        return node

    def _place(self, node: Node) -> None:
        if self.open:
            self.open[-1].items.append(node)
        elif self.root is None:
            self.root = node
        else:
            raise Unreadable(node.line, "a second YAML document (---) begins here; one file holds one")


def _node(event: yaml.NodeEvent, line: int) -> Node:
    end_line = event.end_mark.line + 1 if event.end_mark else line
    if isinstance(event, yaml.ScalarEvent):
        return Node(line, end_line, "scalar", text=event.value, plain=event.implicit[0], complete=True)
    return Node(line, end_line, "mapping" if isinstance(event, yaml.MappingStartEvent) else "list")
