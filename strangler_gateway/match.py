"""Finds the route of a request: the most specific path wins, segment by segment literal > variable > rest."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from strangler_gateway.path_template import Template, parse, shape
from strangler_gateway.routes import PathRules, Route, RouteTable


@dataclass(frozen=True, slots=True)
class _Taker:
    """A route, and which pieces of a path (split at "/") its variables are; the rest is the piece `rest_from`."""

    route: Route
    pieces: tuple[int, ...]
    rest_from: int = -1

    def captured(self, path: bytes) -> tuple[bytes, ...]:
        pieces = path.split(b"/", self.rest_from)
        return tuple([pieces[at] for at in self.pieces])


@dataclass(slots=True)
class _Node:
    """A position after some segments, in the tree of one method."""

    literals: "dict[bytes, _Node]" = field(default_factory=dict)
    variable: "_Node | None" = None
    end: _Taker | None = None
    rest: _Taker | None = None

    def child(self, segment: bytes | None) -> "_Node":
        if segment is not None:
            return self.literals.setdefault(segment, _Node())
        self.variable = self.variable or _Node()
        return self.variable


class _Tree:
    """The paths that one method takes. `exact` holds those without a variable, by the whole path."""

    __slots__ = ("depth", "exact", "last", "root")

    def __init__(self, routes: Iterable[Route], rules: PathRules) -> None:
        self.root = _Node()
        self.exact: dict[bytes, Route] = {}
        self.depth = 0
        for route in routes:
            self._add(route, parse(route.path), rules)
        if self.root.rest is None:
            raise ValueError("no route takes every path and method: the last one has to be /{rest...}")
        self.last = self.root.rest

    def _add(self, route: Route, template: Template, rules: PathRules) -> None:
        segments = shape(template, rules)
        node = self.root
        for segment in segments:
            node = node.child(segment)
        self.depth = max(self.depth, len(segments) + 2)
        variables = tuple(at + 1 for at, segment in enumerate(segments) if segment is None)
        if template.rest:
            rest_from = len(segments) + 1
            node.rest = _Taker(route, (*variables, rest_from), rest_from)
        else:
            node.end = _Taker(route, variables)
            if not variables and not rules.decode_literals:
                self.exact[b"".join(b"/" + (segment or b"") for segment in segments)] = route


class Matcher:
    """The table's paths, compiled; immutable. No path raises, and each finds a route: the last takes all."""

    __slots__ = ("_decode", "_fold", "_other", "_slash", "_trees", "table")

    def __init__(self, table: RouteTable) -> None:
        self.table = table
        self._fold = not table.paths.case_sensitive
        self._slash = table.paths.trailing_slash == "ignore"
        self._decode = table.paths.decode_literals
        methods = {method for route in table.routes for method in route.methods or ()} | {b"GET", b"HEAD"}
        self._trees = {method: _Tree(_takers(table.routes, method), table.paths) for method in methods}
        self._other = _Tree(_takers(table.routes, b""), table.paths)

    def match(self, method: bytes, path: bytes) -> tuple[Route, tuple[bytes, ...]]:
        """The route, and what its variables captured, as sent. `path` is raw and has no query."""
        tree = self._trees.get(method, self._other)
        bare = path[:-1] if self._slash and path[-1:] == b"/" else path
        key = bare.lower() if self._fold else bare
        exact = tree.exact.get(key)
        if exact is not None:
            return exact, ()
        if path[:1] != b"/":
            return tree.last.route, (path,)
        keys = self._decoded(bare, tree.depth) if self._decode else key.split(b"/", tree.depth)
        taker = _find(tree.root, keys, 1, len(keys), bare is not path) or tree.last
        return taker.route, taker.captured(path)

    def methods(self, path: bytes) -> Iterator[tuple[bytes, Route]]:
        """Each method that the file names, and the route that takes it at this path."""
        for method in sorted(self._trees):
            yield method, self.match(method, path)[0]

    def _decoded(self, path: bytes, depth: int) -> list[bytes]:
        segments = [unquote_to_bytes(segment) for segment in path.split(b"/", depth)]
        return [segment.lower() for segment in segments] if self._fold else segments


def _takers(routes: Sequence[Route], method: bytes) -> list[Route]:
    """The routes that take a method, those that name it last: they win where the path is the same."""
    every = [route for route in routes if route.methods is None]
    implied = [route for route in routes if method == b"HEAD" and route.methods and b"GET" in route.methods]
    return every + implied + [route for route in routes if route.methods and method in route.methods]


def _find(node: _Node, keys: list[bytes], at: int, end: int, slash: bool) -> _Taker | None:
    """The most specific taker under a node. Each node of the tree is visited once at most, whatever the path."""
    if at == end:
        return node.end or (node.rest if slash else None)
    key = keys[at]
    following = node.literals.get(key)
    if following is not None:
        found = _find(following, keys, at + 1, end, slash)
        if found is not None:
            return found
    if node.variable is not None and key:
        found = _find(node.variable, keys, at + 1, end, slash)
        if found is not None:
            return found
    return node.rest
