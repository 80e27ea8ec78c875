"""What shadow has compared in a step: equal and different answers by status class, and each difference by its name.

A name is the kind of a difference and its place: `type $.items[*].price`. Answers are counted by all their names
together, so that what routes.yaml accepts later no longer counts, and counts again afterwards. Bounded.
"""

from collections.abc import Iterable, Mapping
from typing import Any, Final

MAX_SIGNATURES: Final = 200
"""Sets of names of one step that are told apart; of more, only the status class is kept."""
MAX_NAME: Final = 120

EQUAL, DIFFERENT, MOVED = range(3)
_CLASSES: Final = frozenset({"1xx", "2xx", "3xx", "4xx", "5xx"})


class RouteParity:
    """Of one route. `classes`: by legacy's status class, answers that were equal, different, moved."""

    __slots__ = ("classes", "signatures")

    def __init__(self) -> None:
        self.classes: dict[str, list[int]] = {}
        self.signatures: dict[str, int] = {}
        """By status class and names, one a line: how many answers differed in exactly these."""

    def names(self) -> dict[str, int]:
        """By name, how many answers differed in it."""
        found: dict[str, int] = {}
        for signature, count in self.signatures.items():
            for name in signature.split("\n")[1:]:
                found[name] = found.get(name, 0) + count
        return found

    def accepted(self, names: frozenset[str]) -> dict[str, int]:
        """By status class, answers that differed in nothing but these."""
        found: dict[str, int] = {}
        for signature, count in self.signatures.items():
            status_class, *lasting = signature.split("\n")
            if lasting and names.issuperset(lasting):
                found[status_class] = found.get(status_class, 0) + count
        return found

    def counted(self, names: frozenset[str]) -> dict[str, tuple[int, int]]:
        """By status class, answers that are equal or accepted, and answers that differ."""
        accepted = self.accepted(names)
        return {
            name: (equal + accepted.get(name, 0), max(different - accepted.get(name, 0), 0))
            for name, (equal, different, _) in self.classes.items()
        }


class StepParity:
    """Of one step, by route."""

    __slots__ = ("routes",)

    def __init__(self) -> None:
        self.routes: dict[str, RouteParity] = {}

    def of(self, route_id: str) -> RouteParity:
        """The counts of a route, made on first use."""
        return self.routes.setdefault(route_id, RouteParity())

    def compared(self, route_id: str, status: int, outcome: int, names: Iterable[str] = ()) -> None:
        """Two answers were compared. `outcome`: EQUAL, DIFFERENT or MOVED; `status`: legacy's."""
        status_class = f"{min(max(status // 100, 1), 5)}xx"
        self._class(route_id, status_class)[outcome] += 1
        if outcome == DIFFERENT:
            lasting = sorted({name.replace("\n", " ")[:MAX_NAME] for name in names})
            self._add(route_id, "\n".join((status_class, *lasting)), 1)

    def _class(self, route_id: str, name: str) -> list[int]:
        if name not in _CLASSES:
            raise ValueError("no status class")
        return self.of(route_id).classes.setdefault(name, [0, 0, 0])

    def _add(self, route_id: str, signature: str, count: int) -> None:
        known = self.of(route_id).signatures
        if signature not in known and sum(len(one.signatures) for one in self.routes.values()) >= MAX_SIGNATURES:
            signature = signature[:3]
        known[signature] = known.get(signature, 0) + count

    def snapshot(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {
            route: {"classes": {name: list(counts) for name, counts in one.classes.items()}, "names": one.signatures}
            for route, one in self.routes.items()
        }

    def add(self, saved: Mapping[str, Any]) -> None:
        """Adds a snapshot. Raises LookupError, TypeError, ValueError, AttributeError."""
        for route, one in saved.items():
            for name, (equal, different, moved) in one["classes"].items():
                counts = self._class(route, name)
                for outcome, count in enumerate((equal, different, moved)):
                    counts[outcome] += _number(count)
            for signature, count in one["names"].items():
                self._add(route, str(signature), _number(count))

    def drain(self) -> dict[str, Any]:
        """What was counted since the last call, for another process."""
        said = self.snapshot()
        self.routes.clear()
        return said


def _number(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or value < 0:
        raise TypeError("a count is a whole number")
    return value
