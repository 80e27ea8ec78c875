"""Folds requested paths into shapes: ids, numbers and tokens become variables."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from urllib.parse import quote

from strangler_gateway.config.checks.secrets import secret_in

MAX_PATHS = 20_000
"""The limit of different paths that are kept while folding; further ones are only counted."""
MAX_SEGMENTS = 12
MAX_LITERALS = 20
"""More different literals after the same beginning are treated as values."""
LONGEST = 256

_DATA = re.compile(
    r"[0-9]+"
    r"|[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}"
    r"|(?=[^0-9]*[0-9])[0-9a-fA-F]{12,}"
    r"|(?=[^0-9]*[0-9])(?=[^A-Z]*[A-Z])[A-Za-z0-9_-]{16,}"
    r"|(?=[^0-9]*[0-9])[A-Za-z0-9]{24,}"
    r"|[0-9]{4}-[0-9]{2}-[0-9]{2}.*"
    r"|[^@]+@[^@]+"
    r"|.*%.*"
)
_SAFE = "._~!$&'()*+,;=:@-%"


@dataclass(slots=True)
class Shape:
    """A path as routes.yaml writes it. `methods` None: every method; `requests`: 0 if unknown."""

    path: str
    methods: set[str] | None = field(default_factory=set)
    requests: int = 0

    def listed(self) -> list[str]:
        """The methods to write: GET includes HEAD, each method its preflight; no route has CONNECT."""
        return sorted({"GET" if method == "HEAD" else method for method in self.methods or ()} - {"OPTIONS", "CONNECT"})


@dataclass(slots=True)
class _PathNode:
    children: "dict[str, _PathNode]" = field(default_factory=dict)
    methods: set[str] = field(default_factory=set)
    requests: int = 0


_VARIABLE = "{}"


class Shapes:
    """Collects requests within bounds; `left_out` counts those whose path is too long, too deep or one too many."""

    def __init__(self) -> None:
        self._root = _PathNode()
        self._room = MAX_PATHS
        self.left_out = 0

    def add(self, method: str, path: str) -> None:
        """One request; `path` is raw and has no query."""
        segments = path[1:].split("/")
        if not path.startswith("/") or len(path) > LONGEST or len(segments) > MAX_SEGMENTS or not _plain(segments):
            self.left_out += 1
            return
        node = self._walk([_VARIABLE if _DATA.fullmatch(segment) else segment for segment in segments])
        if node is None:
            self.left_out += 1
            return
        node.methods.add(method)
        node.requests += 1

    def _walk(self, segments: list[str]) -> _PathNode | None:
        node = self._root
        for segment in segments:
            if segment not in node.children:
                self._room -= 1
                if self._room < 0:
                    return None
                node.children[segment] = _PathNode()
            node = node.children[segment]
        return node

    def found(self) -> list[Shape]:
        """The shapes, in the order of their paths."""
        _fold(self._root)
        return sorted(_shapes(self._root, ""), key=lambda shape: shape.path)


def _plain(segments: list[str]) -> bool:
    """Whether a route can be declared for them: only the last may be empty, nothing to encode, no secret."""
    inner = segments[:-1] if segments[-1] == "" else segments
    spelled = all(segment not in ("", ".", "..") and quote(segment, safe=_SAFE) == segment for segment in inner)
    return spelled and secret_in("/".join(segments)) is None


def _fold(node: _PathNode) -> None:
    literals = [segment for segment in node.children if segment not in ("", _VARIABLE)]
    if len(literals) > MAX_LITERALS:
        into = node.children.setdefault(_VARIABLE, _PathNode())
        for segment in literals:
            _merge(into, node.children.pop(segment))
    for child in node.children.values():
        _fold(child)


def _merge(into: _PathNode, other: _PathNode) -> None:
    into.methods |= other.methods
    into.requests += other.requests
    for segment, child in other.children.items():
        _merge(into.children.setdefault(segment, _PathNode()), child)


def _shapes(node: _PathNode, path: str, variables: int = 0) -> Iterator[Shape]:
    if node.methods:
        yield Shape(path, node.methods, node.requests)
    for segment, child in node.children.items():
        if segment == _VARIABLE:
            name = "{id}" if variables == 0 else f"{{id{variables + 1}}}"
            yield from _shapes(child, f"{path}/{name}", variables + 1)
        else:
            yield from _shapes(child, f"{path}/{segment}", variables)
