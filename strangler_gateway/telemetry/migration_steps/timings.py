"""How long answers took and how long they are, of both sides of a step, as histograms; bounded, kept on restarts.

In canary of users who were drawn; in shadow the ratio of each compared pair. Answers that failed are no answers here.
"""

from bisect import bisect_left
from collections.abc import Mapping
from typing import Any, Final

from strangler_gateway.telemetry.histogram import BYTES, RATIOS, SECONDS, add_sparse, sparse

HISTOGRAMS: Final = ("seconds_legacy", "seconds_new", "bytes_legacy", "bytes_new", "second_pairs", "byte_pairs")
MARK_EVERY_S: Final = 300.0
WINDOW_S: Final = 1800.0

Sparse = dict[str, dict[str, list[list[int]]]]
"""By route and name, the bins of a histogram that are not empty."""


class RouteTimings:
    """Of one route, a list of counts for each of HISTOGRAMS."""

    __slots__ = HISTOGRAMS

    def __init__(self) -> None:
        self.seconds_legacy, self.seconds_new = ([0] * (len(SECONDS) + 1) for _ in range(2))
        self.bytes_legacy, self.bytes_new = ([0] * (len(BYTES) + 1) for _ in range(2))
        self.second_pairs, self.byte_pairs = ([0] * (len(RATIOS) + 1) for _ in range(2))

    def snapshot(self) -> dict[str, list[list[int]]]:
        """As JSON-able values: histograms that are not empty."""
        bins = {name: sparse(getattr(self, name)) for name in HISTOGRAMS}
        return {name: one for name, one in bins.items() if one}

    def add(self, saved: Mapping[str, Any], sign: int = 1) -> None:
        """Adds a snapshot, or takes an earlier one of the same histograms away. Raises TypeError, ValueError."""
        for name in HISTOGRAMS:
            counts = getattr(self, name)
            if sign > 0:
                add_sparse(counts, saved.get(name, ()))
            else:
                for at, count in saved.get(name, ()):
                    counts[at] = max(counts[at] - count, 0)

    def clear(self) -> None:
        """All counts are 0 again."""
        for name in HISTOGRAMS:
            counts = getattr(self, name)
            counts[:] = [0] * len(counts)


class StepTimings:
    """Since the step began, or since its first minutes were over. `age_s`: seconds that somebody has counted."""

    __slots__ = ("_marks", "age_s", "lately", "routes", "window_s")

    def __init__(self) -> None:
        self.routes: dict[str, RouteTimings] = {}
        self.age_s = 0.0
        self._marks: list[tuple[float, Sparse]] = []
        """Ages, and what had been counted then; not kept on a restart."""
        self.window_s = WINDOW_S
        self.lately: dict[str, RouteTimings] | None = None
        """Where these are the sums over all gateways: what they have counted lately."""

    def of(self, route_id: str) -> RouteTimings:
        """The histograms of a route, made on first use."""
        timings = self.routes.get(route_id)
        if timings is None:
            timings = self.routes[route_id] = RouteTimings()
        return timings

    def pair(self, route_id: str, seconds: float, size: float) -> None:
        """Shadow has compared two answers: the new side's duration and size through legacy's."""
        timings = self.routes.get(route_id) or self.of(route_id)
        timings.second_pairs[bisect_left(RATIOS, seconds)] += 1
        timings.byte_pairs[bisect_left(RATIOS, size)] += 1

    def tick(self, seconds: float, skip_s: float, window_s: float) -> None:
        """So much time has passed, by a clock that does not jump. What the first `skip_s` have shown is forgotten."""
        before, self.age_s, self.window_s = self.age_s, self.age_s + seconds, window_s
        if before < skip_s <= self.age_s:
            for timings in self.routes.values():
                timings.clear()
            self._marks.clear()
        if self.age_s >= skip_s and self.age_s - self._marked_at() >= MARK_EVERY_S:
            self._marks.append((self.age_s, _snapshots(self.routes)))
            while len(self._marks) > 1 and self._marks[1][0] <= self.age_s - window_s:
                del self._marks[0]

    def recent(self) -> Mapping[str, RouteTimings]:
        """What was counted within the last `window_s` or a little more; of a younger step everything."""
        if self.lately is not None:
            return self.lately
        mark = next((one for at, one in reversed(self._marks) if at <= self.age_s - self.window_s), None)
        return self._without(mark) if mark is not None else self.routes

    def _marked_at(self) -> float:
        return self._marks[-1][0] if self._marks else 0.0

    def _without(self, earlier: Sparse) -> dict[str, RouteTimings]:
        found = {}
        for route, timings in self.routes.items():
            one = found[route] = RouteTimings()
            one.add(timings.snapshot())
            one.add(earlier.get(route, {}), -1)
        return found

    def snapshot(self) -> dict[str, Any]:
        """As JSON-able values."""
        return {"age_s": round(self.age_s, 3), "routes": _snapshots(self.routes)}

    def part(self) -> dict[str, Any]:
        """For the sum over all gateways: the snapshot, and what was counted lately."""
        return self.snapshot() | {"lately": _snapshots(self.recent())}

    def add(self, saved: Mapping[str, Any]) -> None:
        """Adds a snapshot. Raises LookupError, TypeError, ValueError, AttributeError."""
        self.age_s = max(self.age_s, float(saved["age_s"]))
        for route, bins in saved["routes"].items():
            self.of(str(route)).add(bins)
        if "lately" in saved:
            self.lately = self.lately or {}
            for route, bins in saved["lately"].items():
                self.lately.setdefault(str(route), RouteTimings()).add(bins)

    def drain(self) -> Sparse:
        """What was counted since the last call, for another process."""
        said = _snapshots(self.routes)
        for route in said:
            self.routes[route].clear()
        return said


def _snapshots(routes: Mapping[str, RouteTimings]) -> Sparse:
    return {route: bins for route, timings in routes.items() if (bins := timings.snapshot())}
