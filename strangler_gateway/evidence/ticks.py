"""From what each gateway has counted to what counts in one tick: differences, and each user once. Pure."""

from collections.abc import Iterable, Mapping
from typing import Any

from strangler_gateway.evidence.cards import Row

Told = Mapping[str, Any]
"""What a gateway tells of a movable: `step` (since, share), and by route both sides' requests, failures and users."""
_Side = tuple[int, int, list[int]]


class GroupTicks:
    """Of one movable over all gateways. A user who fails at two gateways has failed once."""

    def __init__(self) -> None:
        self._last: dict[str, tuple[Any, dict[str, tuple[int, int, int, int]]]] = {}
        """By gateway: its step, and by route requests and failures without a user of both sides."""
        self._failed: dict[tuple[str, int], set[int]] = {}
        """By route and side, who has failed since the score was last 0."""

    def take(self, told: Mapping[str, Told]) -> dict[str, Row]:
        """By route, what counts since the last call. Raises LookupError, TypeError, ValueError: one tells nonsense.

        What a gateway tells first may be hours old, so only what follows counts.
        """
        rows: dict[str, list[int]] = {}
        for gateway, one in told.items():
            step, sides = _read(one)
            known = self._last.get(gateway)
            before = known[1] if known is not None and known[0] == step else {}
            for route, both in sides.items():
                row = rows.setdefault(route, [0, 0, 0, 0])
                was = before.get(route, (0, 0, 0, 0))
                for at, side in enumerate(both):
                    failed, requests = self._side(route, at, side, was[2 * at : 2 * at + 2])
                    if known is not None:
                        row[2 * at] += failed
                        row[2 * at + 1] += requests
            self._last[gateway] = step, {route: (*new[:2], *legacy[:2]) for route, (new, legacy) in sides.items()}
        return {route: (row[0], row[1], row[2], row[3]) for route, row in rows.items()}

    def forget(self, routes: Iterable[str]) -> list[str]:
        """The score of these routes is back at 0: who has failed counts again. Those on which anybody has."""
        gone = {route: (self._failed.pop((route, 0), None), self._failed.pop((route, 1), None)) for route in routes}
        return [route for route, sides in gone.items() if any(sides)]

    def _side(self, route: str, at: int, told: _Side, was: tuple[int, ...]) -> tuple[int, int]:
        """Failures and requests of one side that count."""
        requests, beyond, users = told
        known = self._failed.get((route, at))
        fresh = set(users) if known is None else set(users) - known
        if fresh:
            self._failed[route, at] = fresh if known is None else known | fresh
        failed = len(fresh) + max(beyond - was[1], 0)
        return failed, max(requests - was[0], failed)


def _read(told: Told) -> tuple[Any, dict[str, tuple[_Side, _Side]]]:
    since, share = told["step"]
    return (float(since), int(share)), {
        str(route): (_side(new), _side(legacy)) for route, (new, legacy) in told["routes"].items()
    }


def _side(told: Any) -> _Side:
    requests, beyond, users = told
    return int(requests), int(beyond), [int(user) for user in users]
