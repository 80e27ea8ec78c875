"""Takes the samples: what all gateways have counted since the last time, by movable."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Final

from strangler_gateway.migration.migration import Migration
from strangler_gateway.overview.history import DAY_EVERY_S, History
from strangler_gateway.overview.ring import ALL, Ring, Sample, percentile
from strangler_gateway.overview.totals import CountedByGateway, Totals
from strangler_gateway.table.routes import RouteTable
from strangler_gateway.telemetry.histogram import SECONDS
from strangler_gateway.telemetry.stats import RouteStats, Stats
from strangler_gateway.telemetry.user_sketch import Users, united

FINE_S, UNWATCHED_S = 2.0, 10.0
"""Seconds from one sample to the next: while somebody looks, and while nobody does."""
FINE_EACH_S, UNWATCHED_EACH_S = 0.5, 3.0
"""At least so many seconds for each other gateway that has to be asked."""
WATCHED_FOR_S = 600.0
FRESH_S, FRESH_WITHIN_S = 1.0, 0.5
USERS_EVERY_S: Final = 60.0
"""Sketches of users are large: other gateways are asked for them so often."""

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

    def add(self, counts: Sequence[int], slow: tuple[Bins, Bins]) -> None:
        self.counts = [one + more for one, more in zip(self.counts, counts, strict=True)]
        for mine, grown in zip(self.slow, slow, strict=True):
            for at, count in grown.items():
                mine[at] = mine.get(at, 0) + count

    def add_users(self, one: RouteStats) -> None:
        self.users[0].extend(filter(None, (one.users_legacy, one.users_extracted)))
        self.users[1].extend(filter(None, (one.users_extracted,)))

    @property
    def sample(self) -> Sample:
        durations = [percentile(each, SECONDS, part) for each in self.slow for part in (0.5, 0.95)]
        return Sample._make((*self.counts, *durations, united(self.users[1]), united(self.users[0])))


class _Interval:
    """From one sample of a ring to the next."""

    def __init__(self, ring: Ring) -> None:
        self.ring, self.began = ring, float("-inf")
        self._seen: dict[tuple[str, str], _RouteMoment] = {}

    def end(self, ends: float, at: float, table: RouteTable, by_gateway: Mapping[str, Stats]) -> bool:
        """Whether there is a sample now. A gateway that was silent at the beginning counts from the next one on."""
        seen, sums = self._seen, dict[str, _Sum]()
        self._seen = {}
        for gateway, stats in by_gateway.items():
            for route in table.routes:
                one, before = stats.route(route.id), seen.get((gateway, route.id))
                here = before if before and before.counts == _counts(one) else _RouteMoment(one)
                self._seen[gateway, route.id] = here
                if before is not None and here is not before:
                    counts = [max(0, now - then) for then, now in zip(before.counts, here.counts, strict=True)]
                    slow = _grown(before.slow_legacy, here.slow_legacy), _grown(before.slow_new, here.slow_new)
                    for name in (ALL, route.movable.name):
                        sums.setdefault(name, _Sum()).add(counts, slow)
        began, self.began = self.began, ends
        if not seen or ends <= began:
            return False
        _add_users(sums, table, by_gateway)
        self.ring.add(at, ends - began, {name: one.sample for name, one in sums.items()})
        self.ring.keep(table.movables)
        return True


class Sampler:
    """`clock` tells monotonic seconds, `wall` Unix seconds, once: a clock that is set moves no picture."""

    def __init__(
        self,
        migration: Migration,
        totals: Totals,
        history: History,
        clock: Callable[[], float],
        wall: Callable[[], float],
    ) -> None:
        self.history, self.counted = history, CountedByGateway(totals.stats)
        self._migration, self._totals, self._clock = migration, totals, clock
        self._offset = wall() - clock()
        self._watched = self._users_at = float("-inf")
        self._fine, self._day = _Interval(history.fine), _Interval(history.day)
        self._turn = asyncio.Lock()

    def watched(self) -> None:
        """Somebody looks."""
        self._watched = self._clock()

    async def fresh(self) -> None:
        """Somebody looks, and sees what was counted until now; if a gateway is silent, what was known last."""
        self.watched()
        if self._clock() - self._fine.began >= FRESH_S and not self.counted.silent:
            with suppress(TimeoutError):
                async with asyncio.timeout(FRESH_WITHIN_S):
                    await self.take()

    async def run(self) -> None:
        """For ever."""
        while True:
            if self._clock() - self._fine.began >= self._pause_s:
                await self.take()
            await asyncio.sleep(FINE_S)

    async def take(self) -> None:
        """One sample."""
        async with self._turn:
            now = self._clock()
            users = now - self._users_at >= USERS_EVERY_S
            counted = await self._totals.of(users=users, durations=True)
            if users:
                self._users_at = now
            else:
                _keep_users(self.counted, counted)
            self.counted = counted
            self._end(self._fine)
            if self._clock() - self._day.began >= DAY_EVERY_S and self._end(self._day):
                await self.history.sampled(self._migration.served.movables)

    @property
    def _pause_s(self) -> float:
        """Nearly: it is slept in steps of FINE_S."""
        others = self._totals.others
        if self._clock() - self._watched <= WATCHED_FOR_S:
            return max(FINE_S, FINE_EACH_S * others) - FINE_S / 2
        return max(UNWATCHED_S, UNWATCHED_EACH_S * others)

    def _end(self, interval: _Interval) -> bool:
        now = self._clock()
        return interval.end(now, now + self._offset, self._migration.served, self.counted.by_gateway)


def _add_users(sums: Mapping[str, _Sum], table: RouteTable, by_gateway: Mapping[str, Stats]) -> None:
    """Of all routes, those without traffic just now included."""
    for stats in by_gateway.values():
        for route in table.routes:
            for name in (ALL, route.movable.name):
                if name in sums:
                    sums[name].add_users(stats.route(route.id))


def _keep_users(before: CountedByGateway, now: CountedByGateway) -> None:
    """Of other gateways that were not asked for them again."""
    for name, (_, stats) in now.others.items():
        if name in before.others:
            for route, known in before.others[name].stats.by_route.items():
                one = stats.route(route)
                one.users_legacy, one.users_extracted = known.users_legacy, known.users_extracted


def _counts(one: RouteStats) -> Counts:
    failed_new, failed_legacy = one.errors_extracted + one.failovers, one.errors_legacy + one.unanswered_legacy
    return one.legacy, one.extracted, failed_legacy, failed_new


def _grown(before: Sequence[int], now: Sequence[int]) -> Bins:
    """A counter that has fallen was reset: nothing is known then."""
    if before == now:
        return {}
    return {at: now[at] - then for at, then in enumerate(before) if now[at] > then}
