"""The instances of one service: which of them takes a call, and which another one where it was not answered."""

import asyncio
import random
from collections.abc import Callable, Iterable, Sequence
from typing import Final

from chassis.discovery.port import Instance
from strangler_gateway.exchange.errors import UpstreamError
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.table.routes import Service
from strangler_gateway.upstream.call import Call, Sink
from strangler_gateway.upstream.pool import ANY_AGE_S, Pool
from strangler_gateway.upstream.retry import RETRYABLE, ConnectionKillers, RetryBudget

_WRITE_FRESH_S: Final = 1.0
"""A request that may not be sent again only takes a pooled connection that was in use this recently."""
_MAX_TRIED: Final = 3
"""So many instances are tried for a call that finds no connection."""


def instances_of(service: Service) -> tuple[Instance, ...]:
    """Those that routes.yaml names."""
    if service.instances:
        return service.instances
    return (Instance(service.unix or service.authority.decode(), service.host, service.port, service.unix),)


class Balancer:
    """A pool for each instance of a service. `draw`: a random number, at least 0, less than 1."""

    def __init__(
        self,
        service: Service,
        now: Callable[[], float],
        max_header: int,
        batch: WriteBatch,
        instances: Iterable[Instance] | None = None,
        draw: Callable[[], float] = random.random,
    ) -> None:
        self.service = service
        self.now = now
        self.pools: list[Pool] = []
        self.budget = RetryBudget()
        self.killers = ConnectionKillers()
        self.failures = 0
        self._max_header, self._batch, self._draw = max_header, batch, draw
        self._open_until = 0.0
        self._only: Pool | None = None
        """The pool, where there is one alone."""
        self._leaving: list[Pool] = []
        self._nowhere = self._pool(Instance("", service.host, service.port))
        """Holds calls while no instance is known."""
        self.set_instances(instances_of(service) if instances is None else instances)

    def send(
        self, sink: Sink, method: bytes, target: bytes, head: bytes, *, complete: bool, upgrade: bytes = b""
    ) -> Call:
        """Starts a call; the sink hears of everything later, never from inside this function."""
        pool = self._only
        if pool is None:
            pool = self._chosen(self.pools) or self._nowhere
        call = Call(pool, sink, method, target, head, complete, upgrade)
        pool.active.add(call)
        clock = self.now
        now = clock()
        self.budget.request(now)
        if self._open_until <= now and pool is not self._nowhere:
            if not pool.reuse(call, now, ANY_AGE_S if method in RETRYABLE else _WRITE_FRESH_S):
                pool.dispatch(call, now)
        else:
            why = "has no instance" if pool is self._nowhere else "is marked as down (its breaker is open)"
            asyncio.get_running_loop().call_soon(call.refuse, why)
        return call

    @property
    def available(self) -> bool:
        """False while the breaker is open, or no instance is known."""
        return self._open_until <= self.now() and bool(self.pools)

    def set_instances(self, instances: Iterable[Instance]) -> None:
        """From now on these are all. A pool stays as it is while its instance does; calls of the others finish."""
        wanted = dict.fromkeys(instances)
        for pool in self.pools:
            if pool.instance not in wanted:
                pool.close()
                self._leaving.append(pool)
        known = {pool.instance: pool for pool in self.pools}
        self.pools = [known.get(instance) or self._pool(instance) for instance in wanted]
        self._only = self.pools[0] if len(self.pools) == 1 else None

    def retry(self, pool: Pool, call: Call, reused: bool) -> bool:
        """Sends a call again whose connection was lost before a byte of an answer came, where that is safe.

        To another instance if there is one, else on a new connection if it was on one that had been in use before.
        """
        now = self.now()
        other = self._other(call)
        if other is None:
            seen = self.killers.note(call.method, call.target, now)
        else:
            # Whoever was in flight when an instance died is no killer: only who is lost on a second one, too.
            seen = call.resent or self.killers.recent(call.method, call.target, now)
            if call.resent:
                self.killers.note(call.method, call.target, now)
        if seen or call.resent or call.method not in RETRYABLE or call.wrote_body or not call.complete:
            return False
        if (other is None and not reused) or not self.budget.spend(now):
            return False
        call.resent = True
        if other is not None:
            call.move(other)
        (other or pool).dispatch(call, now)
        return True

    def connected(self) -> None:
        """A connection has come about."""
        self.failures = 0

    def refused(self) -> None:
        """A connection has not come about."""
        self.failures += 1
        if self.service.breaker_failures and self.failures >= self.service.breaker_failures:
            self._open_until = self.now() + self.service.breaker_open_s

    def unconnected(self, pool: Pool, call: Call, error: UpstreamError) -> None:
        """Sends a call of which nothing has left to another instance, whatever its method; else it has failed."""
        now, other = self.now(), self._other(call)
        if other is None or not self.budget.spend(now):
            call.fail(error)
            return
        call.move(other)
        if not other.reuse(call, now, ANY_AGE_S if call.method in RETRYABLE else _WRITE_FRESH_S):
            other.dispatch(call, now)

    def sweep(self) -> None:
        """Time-outs of all calls."""
        for pool in (*self.pools, *self._leaving):
            pool.sweep()
        self._leaving = [pool for pool in self._leaving if pool.active]

    def close(self) -> None:
        """No new call comes: idle connections end now, the others with their call."""
        self.set_instances(())

    @property
    def active(self) -> list[Call]:
        """The calls under way."""
        return [call for pool in (*self.pools, *self._leaving, self._nowhere) for call in pool.active]

    def _pool(self, instance: Instance) -> Pool:
        return Pool(self, self.service, instance, self.now, self._max_header, self._batch)

    def _other(self, call: Call) -> Pool | None:
        """An instance that the call has not tried yet."""
        if self._only is not None or len(call.tried) + 1 >= _MAX_TRIED:
            return None
        return self._chosen([pool for pool in self.pools if pool is not call.pool and pool not in call.tried])

    def _chosen(self, pools: Sequence[Pool]) -> Pool | None:
        """Of two random ones the one with fewer calls under way."""
        if len(pools) < 2:
            return pools[0] if pools else None
        first = int(self._draw() * len(pools))
        second = int(self._draw() * (len(pools) - 1))
        one, two = pools[first], pools[second + (second >= first)]
        return two if len(two.active) < len(one.active) else one
