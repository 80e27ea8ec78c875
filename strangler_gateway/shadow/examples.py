"""Examples of differences, for people: few, without data unless it was allowed, one for each kind."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.shadow.json_compare import Difference

MAX_EXAMPLES = 20
MAX_ROUTES = 1_000


@dataclass(slots=True)
class Example:
    """One kind of difference: where, and the last request that showed it. `at` in Unix seconds."""

    at: float
    method: str
    path: str
    """The route's template; the request's own target only where values may be shown."""
    differences: list[Difference]
    count: int


Kinds = OrderedDict[tuple[str, ...], Example]


class Examples:
    """Per route the latest kinds of difference; a kind is a set of places."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._by_route: OrderedDict[str, Kinds] = OrderedDict()

    def add(self, x: Exchange, differences: Sequence[Difference]) -> None:
        """One more answer that differed."""
        kinds = self._by_route.setdefault(x.route.id, OrderedDict())
        places = tuple(sorted({difference.place for difference in differences}))
        before = kinds.pop(places, None)
        kinds[places] = self._example(x, differences, before.count + 1 if before else 1)
        if len(kinds) > MAX_EXAMPLES:
            kinds.popitem(last=False)
        if len(self._by_route) > MAX_ROUTES:
            self._by_route.popitem(last=False)

    def of(self, route_id: str) -> list[dict[str, object]]:
        """The latest first, as JSON-able values."""
        return [asdict(example) for example in reversed(self._by_route.get(route_id, {}).values())]

    def _example(self, x: Exchange, differences: Sequence[Difference], count: int) -> Example:
        show = x.route.shadow is not None and x.route.shadow.show_values
        path = x.target.decode("ascii", "backslashreplace") if show else x.route.path
        return Example(self._clock(), x.method.decode("ascii", "backslashreplace"), path, list(differences), count)
