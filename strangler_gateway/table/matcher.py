"""Finds the route of a request. The most specific path wins: segment by segment, literal > variable > rest."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from urllib.parse import unquote_to_bytes

from strangler_gateway.table.routes import PathRules, Route, RouteTable
from strangler_gateway.table.template import Template, parse, shape


@dataclass(frozen=True, slots=True)
class _Taker:
    """A route, and how to pick its variables from a path that is split at "/" (`rest_from` times; -1: always)."""

    route: Route
    pick: Callable[[list[bytes]], tuple[bytes, ...]]
    rest_from: int = -1


@dataclass(slots=True)
class _SegmentNode:
    """A position between two segments of a path, in the tree of one method."""

    literals: "dict[bytes, _SegmentNode]" = field(default_factory=dict)
    variable: "_SegmentNode | None" = None
    end: _Taker | None = None
    rest: _Taker | None = None

    def child(self, segment: bytes | None) -> "_SegmentNode":
        if segment is not None:
            return self.literals.setdefault(segment, _SegmentNode())
        self.variable = self.variable or _SegmentNode()
        return self.variable


class _Tree:
    """The routes of one method. `exact` holds those without a variable, by the whole path."""

    __slots__ = ("depth", "exact", "last", "top")

    def __init__(self, routes: Iterable[Route], rules: PathRules) -> None:
        self.top = _SegmentNode()
        self.exact: dict[bytes, Route] = {}
        self.depth = 0
        for route in routes:
            self._add(route, parse(route.path), rules)
        last = self.top.child(b"").rest
        if last is None:
            raise ValueError("no route takes every path and method: the last one must be /{rest...}")
        self.last = last

    def _add(self, route: Route, template: Template, rules: PathRules) -> None:
        pieces = (b"", *shape(template, rules))
        node = self.top
        for piece in pieces:
            node = node.child(piece)
        self.depth = max(self.depth, len(pieces))
        variables = [at for at, piece in enumerate(pieces) if piece is None]
        if template.rest:
            node.rest = _Taker(route, _picker([*variables, len(pieces)]), len(pieces))
        else:
            node.end = _Taker(route, _picker(variables))
            if not variables and not rules.decode_literals:
                self.exact[b"/".join(piece or b"" for piece in pieces)] = route


class Matcher:
    """The compiled paths of a table; immutable. Every path finds a route and none raises: the last takes all."""

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
        """The route and the values of its variables, as sent. `path` is raw and has no query."""
        tree = self._trees.get(method, self._other)
        bare = path[:-1] if self._slash and path[-1:] == b"/" else path
        key = bare.lower() if self._fold else bare
        exact = tree.exact.get(key)
        if exact is not None:
            return exact, ()
        if path[:1] != b"/":
            return tree.last.route, (path,)
        keys = self._decoded(bare, tree.depth) if self._decode else key.split(b"/", tree.depth)
        taker = _greedy(tree.top, keys) or _find(tree.top, keys, 0, len(keys), bare is not path) or tree.last
        return taker.route, taker.pick(path.split(b"/", taker.rest_from))

    def _decoded(self, path: bytes, depth: int) -> list[bytes]:
        segments = [unquote_to_bytes(segment) for segment in path.split(b"/", depth)]
        return [segment.lower() for segment in segments] if self._fold else segments


def _picker(positions: list[int]) -> Callable[[list[bytes]], tuple[bytes, ...]]:
    if not positions:
        return lambda pieces: ()
    if len(positions) == 1:
        only = positions[0]
        return lambda pieces: (pieces[only],)
    return itemgetter(*positions)


def _takers(routes: Sequence[Route], method: bytes) -> list[Route]:
    """The routes of a method. Those that name it come last: they win if the path is the same."""
    every = [route for route in routes if route.methods is None]
    implied = [route for route in routes if method == b"HEAD" and route.methods and b"GET" in route.methods]
    return every + implied + [route for route in routes if route.methods and method in route.methods]


def _greedy(node: _SegmentNode, keys: list[bytes]) -> _Taker | None:
    """Follows literals, else variables. What it finds is the most specific taker; most requests end here."""
    for key in keys:
        following = node.literals.get(key)
        if following is None:
            following = node.variable
            if following is None or not key:
                return None
        node = following
    return node.end


def _find(node: _SegmentNode, keys: list[bytes], at: int, end: int, slash: bool) -> _Taker | None:
    """The most specific taker under a node. It visits each node at most once, whatever the path."""
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
