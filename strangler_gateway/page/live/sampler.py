"""Takes the samples: what was counted since the last time, by movable."""

import asyncio
from collections.abc import Callable, Sequence

from strangler_gateway.migration.migration import Migration
from strangler_gateway.page.live.history import ALL, Ring, Sample, percentile
from strangler_gateway.table.routes import RouteTable
from strangler_gateway.telemetry.histogram import SECONDS
from strangler_gateway.telemetry.stats import RouteStats, Stats
from strangler_gateway.telemetry.user_sketch import Users, united

FINE_S, FINE_POINTS = 2.0, 300
LONG_S, LONG_POINTS = 120.0, 720
UNWATCHED_S = 10.0
"""How often workers are asked while nobody looks."""
WATCHED_FOR_S = 600.0


Counts = tuple[int, ...]
Bins = dict[int, int]


class _RouteMoment:
    """The counters of one route at one moment: requests and failures of both sides, then both histograms."""

    __slots__ = ("counts", "slow_legacy", "slow_new")

    def __init__(self, one: RouteStats) -> None:
        self.counts = _counts(one)
        self.slow_legacy, self.slow_new = list(one.durations_legacy), list(one.durations_extracted)


class _Sum:
    """What was counted of some routes in an interval; of histograms, only bins that have grown."""

    def __init__(self) -> None:
        self.counts = [0, 0, 0, 0]
        self.slow: tuple[Bins, Bins] = {}, {}
        self.users: tuple[list[Users], list[Users]] = [], []

    def add(self, one: RouteStats, counts: Sequence[int], slow: tuple[Bins, Bins]) -> None:
        self.counts = [one + more for one, more in zip(self.counts, counts, strict=True)]
        self.users[0].extend(filter(None, (one.users_legacy, one.users_extracted)))
        self.users[1].extend(filter(None, (one.users_extracted,)))
        for mine, grown in zip(self.slow, slow, strict=True):
            for at, count in grown.items():
                mine[at] = mine.get(at, 0) + count

    @property
    def sample(self) -> Sample:
        durations = [percentile(each, SECONDS, part) for each in self.slow for part in (0.5, 0.95)]
        return Sample._make((*self.counts, *durations, united(self.users[1]), united(self.users[0])))


class _Interval:
    """From one sample of a ring to the next."""

    def __init__(self, ring: Ring) -> None:
        self.ring, self.began = ring, 0.0
        self._seen: dict[str, _RouteMoment] = {}

    def end(self, ends: float, at: float, table: RouteTable, stats: Stats) -> None:
        """Only routes with traffic cost something."""
        seen, sums = self._seen, dict[str, _Sum]()
        self._seen = {}
        for route in table.routes:
            one, before = stats.route(route.id), seen.get(route.id)
            here = self._seen[route.id] = before if before and before.counts == _counts(one) else _RouteMoment(one)
            if before is not None and here is not before:
                counts = [max(0, now - then) for then, now in zip(before.counts, here.counts, strict=True)]
                slow = _grown(before.slow_legacy, here.slow_legacy), _grown(before.slow_new, here.slow_new)
                for name in (ALL, route.movable.name):
                    sums.setdefault(name, _Sum()).add(one, counts, slow)
        if seen and ends > self.began:
            self.ring.add(at, ends - self.began, {name: one.sample for name, one in sums.items()})
            self.ring.keep(table.movables)
        self.began = ends


class Sampler:
    """`clock` tells monotonic seconds, `wall` Unix seconds, once: a clock that is set moves no picture."""

    def __init__(
        self, migration: Migration, stats: Stats, clock: Callable[[], float], wall: Callable[[], float]
    ) -> None:
        self.fine, self.long = Ring(FINE_POINTS), Ring(LONG_POINTS)
        self._migration, self._stats, self._clock = migration, stats, clock
        self._offset = wall() - clock()
        self._watched = float("-inf")
        self._fine, self._long = _Interval(self.fine), _Interval(self.long)

    def watched(self) -> None:
        """Somebody looks."""
        self._watched = self._clock()

    async def run(self) -> None:
        """For ever."""
        self._take(self._fine)
        self._take(self._long)
        while True:
            await asyncio.sleep(FINE_S)
            now = self._clock()
            if now - self._watched > WATCHED_FOR_S and now - self._fine.began < UNWATCHED_S:
                continue
            await self._migration.refresh()
            self._take(self._fine)
            if self._clock() - self._long.began >= LONG_S:
                self._take(self._long)

    def _take(self, interval: _Interval) -> None:
        now = self._clock()
        interval.end(now, now + self._offset, self._migration.served, self._stats)


def _counts(one: RouteStats) -> Counts:
    failed_new, failed_legacy = one.errors_extracted + one.failovers, one.errors_legacy + one.unanswered_legacy
    return one.legacy, one.extracted, failed_legacy, failed_new


def _grown(before: Sequence[int], now: Sequence[int]) -> Bins:
    """A counter that has fallen was reset: nothing is known then."""
    if before == now:
        return {}
    return {at: now[at] - then for at, then in enumerate(before) if now[at] > then}
