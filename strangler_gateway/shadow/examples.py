"""Examples of differences, for people: few, without data unless it was allowed, one for each kind."""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from heapq import nlargest
from typing import Any

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.shadow.json_compare import Difference
from strangler_gateway.table.routes import RouteTable
from strangler_gateway.table.rules.accept import KINDS

MAX_EXAMPLES = 20
MAX_ROUTES = 1_000
MAX_SAVED = 300
"""Kinds of difference that outlive a restart: the latest ones."""
MAX_TEXT = 300
"""Characters of a place."""
MAX_TIME = 1e11


@dataclass(slots=True)
class Example:
    """One kind of difference: where, and the last request that showed it. `at` in Unix seconds."""

    at: float
    method: str
    path: str
    """The route's template; the request's own target only where values may be shown."""
    differences: list[Difference]
    count: int
    values: bool = False
    """It shows values, because its route allowed it."""


Kinds = OrderedDict[tuple[str, ...], Example]


class Examples:
    """Per route the latest kinds of difference; a kind is a set of places."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._by_route: OrderedDict[str, Kinds] = OrderedDict()
        self._snapshot: list[dict[str, object]] | None = []
        """None: something has changed since it was made."""

    def add(self, x: Exchange, differences: Sequence[Difference]) -> None:
        """One more answer that differed."""
        self._put(x.route.id, self._example(x, differences))

    def of(self, route_id: str) -> list[dict[str, object]]:
        """The latest first, as JSON-able values."""
        return [asdict(example) for example in reversed(self._by_route.get(route_id, {}).values())]

    def keep(self, table: RouteTable) -> None:
        """Drops what a new table does not have, and values that it does not allow any more."""
        routes = {route.id: route for route in table.routes}
        for name, kinds in list(self._by_route.items()):
            shadow = routes[name].shadow if name in routes else None
            if name not in routes or (not (shadow and shadow.show_values) and any(e.values for e in kinds.values())):
                del self._by_route[name]
                self._snapshot = None

    def snapshot(self) -> list[dict[str, object]]:
        """The latest MAX_SAVED kinds of all routes, oldest first; JSON-able."""
        if self._snapshot is None:
            every = [(example, name) for name, kinds in self._by_route.items() for example in kinds.values()]
            latest = nlargest(MAX_SAVED, every, key=lambda one: one[0].at)
            self._snapshot = [{"route": name, **asdict(example)} for example, name in reversed(latest)]
        return self._snapshot

    def drain(self) -> list[dict[str, object]]:
        """As `snapshot`, and forgets it: another process keeps it."""
        said = self.snapshot()
        self._by_route.clear()
        self._snapshot = []
        return said

    def restore(self, saved: Any) -> None:
        """Continues from a snapshot. Raises ValueError, TypeError, LookupError, and then has restored nothing."""
        for name, example in list(_read(saved)):
            self._put(name, example)

    def _put(self, route_id: str, example: Example) -> None:
        kinds = self._by_route.setdefault(route_id, OrderedDict())
        places = tuple(sorted({difference.place for difference in example.differences}))
        before = kinds.pop(places, None)
        if before is not None:
            example.count += before.count
        kinds[places] = example
        self._snapshot = None
        if len(kinds) > MAX_EXAMPLES:
            kinds.popitem(last=False)
        if len(self._by_route) > MAX_ROUTES:
            self._by_route.popitem(last=False)

    def _example(self, x: Exchange, differences: Sequence[Difference]) -> Example:
        show = x.route.shadow is not None and x.route.shadow.show_values
        path = x.head.target.decode("ascii", "backslashreplace") if show else x.route.path
        cut = [replace(difference, where=difference.where[:MAX_TEXT]) for difference in differences]
        return Example(self._clock(), x.method.decode("ascii", "backslashreplace"), path, cut, 1, show)


def _read(saved: Any) -> Iterator[tuple[str, Example]]:
    if not isinstance(saved, list):
        raise TypeError("it is not a list")
    for one in saved[-MAX_SAVED:]:
        differences = [_difference(each) for each in one["differences"]]
        name, method, path = _texts(one, "route", "method", "path")
        at, count = float(one["at"]), int(one["count"])
        if not (0 <= at < MAX_TIME and count > 0):
            raise ValueError("a time or a count is out of range")
        yield name, Example(at, method, path, differences, count, bool(one["values"]))


def _difference(row: Mapping[str, Any]) -> Difference:
    """Older versions knew no kinds."""
    kind = row.get("kind", "value")
    if kind not in KINDS:
        raise ValueError("a difference is of no known kind")
    where, legacy, extracted = _texts(row, "where", "legacy", "extracted")
    return Difference(where, legacy, extracted, kind)


def _texts(row: Mapping[str, Any], *names: str) -> list[str]:
    texts = [row[name] for name in names]
    if not all(isinstance(text, str) for text in texts):
        raise TypeError(f"one of {', '.join(names)} is not a text")
    return texts
