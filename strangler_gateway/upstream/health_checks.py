"""Asks instances whether they are well: all of them at intervals, and more often those that accept no connection."""

import asyncio
import random
from collections.abc import Callable, Iterable
from typing import Final

from chassis.discovery.port import Instance
from strangler_gateway.exchange.errors import UpstreamError
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.table.routes import Service
from strangler_gateway.upstream.balancing.balancer import Balancer
from strangler_gateway.upstream.connections.host_names import HostNames
from strangler_gateway.upstream.connections.pool import Pool
from strangler_gateway.upstream.fetch import FetchedResponse, fetch

MAX_TIMEOUT_S: Final = 15.0
"""Of a check, where the service has a longer `timeout_s.connect`."""
MAX_ANSWER: Final = 256 * 1024
FAILURES: Final = 3
"""So many checks in a row that fail leave an instance out; one that succeeds brings it back."""
_UNREACHABLE_S: Final = 1.0
_JITTER: Final = 0.2
_MAX_HEADER: Final = 64 * 1024


def asking(service: Service, instance: Instance, names: HostNames | None = None) -> Balancer:
    """Connections of its own, so that a question counts for nothing but itself; close it. `names`: as of a Balancer."""
    now = asyncio.get_running_loop().time
    return Balancer(service, now, _MAX_HEADER, WriteBatch(), (instance,), names=names)


async def ask_health(balancer: Balancer, target: str) -> FetchedResponse:
    """A GET of `health:`. Raises UpstreamError, TimeoutError, OSError, ValueError."""
    service = balancer.service
    fields = [
        (b"Host", service.authority),
        (b"Accept", b"application/json"),
        (b"User-Agent", b"strangler"),
        (b"Connection", b"close"),
    ]
    timeout_s = min(service.timeouts.connect, MAX_TIMEOUT_S)
    return await fetch(balancer, b"GET", target.encode(), fields, timeout_s=timeout_s, max_body=MAX_ANSWER)


async def passes(balancer: Balancer) -> bool:
    """Whether its one instance is well: a 2xx to `health:`, or where there is none a connection."""
    target = balancer.service.health
    try:
        if target is None:
            await balancer.pools[0].try_connection()
            return True
        return 200 <= (await ask_health(balancer, target)).status <= 299
    except (UpstreamError, TimeoutError, OSError, ValueError):
        return False


class HealthChecks:
    """One check of an instance at a time. Only where there are several: one alone is asked whatever it says."""

    def __init__(
        self, now: Callable[[], float], draw: Callable[[], float] = random.random, names: HostNames | None = None
    ) -> None:
        self._now, self._draw, self._names = now, draw, names or HostNames()
        self._next_at: dict[Pool, float] = {}
        self._running: dict[Pool, asyncio.Task[None]] = {}

    def sweep(self, balancers: Iterable[Balancer]) -> None:
        """Begins the checks that are due; called a few times a second."""
        now, watched = self._now(), [pool for balancer in balancers for pool in balancer.pools if pool.watched]
        self._next_at = {pool: self._next_at[pool] for pool in watched if pool in self._next_at}
        for pool in watched:
            every_s = self._every_s(pool)
            if every_s and pool not in self._running and self._next_at.setdefault(pool, now + every_s) <= now:
                self._next_at[pool] = now + every_s * (1 + _JITTER * (self._draw() - 0.5))
                self._running[pool] = asyncio.get_running_loop().create_task(self._check(pool))

    @property
    def running(self) -> int:
        """How many checks are under way."""
        return len(self._running)

    def close(self) -> None:
        """At the end of the process."""
        for task in self._running.values():
            task.cancel()

    def _every_s(self, pool: Pool) -> float:
        """0: not at all."""
        interval_s = pool.service.health_interval_s
        if not pool.health.is_unreachable(pool.service.balance.eject):
            return interval_s
        return min(interval_s, _UNREACHABLE_S) if interval_s else _UNREACHABLE_S

    async def _check(self, pool: Pool) -> None:
        balancer = asking(pool.service, pool.instance, self._names)
        try:
            well = await passes(balancer)
        finally:
            balancer.close()
            del self._running[pool]
        if pool.watched:
            pool.health.checked(well, FAILURES if pool.service.health_interval_s else 0)
