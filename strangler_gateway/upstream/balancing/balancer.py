"""The instances of one service: which of them takes a call, and which other one where it was not answered."""

import asyncio
import random
from collections.abc import Callable, Iterable
from math import inf
from typing import Final

from chassis.discovery.port import Instance
from strangler_gateway.exchange.errors import UpstreamError
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.table.routes import Service
from strangler_gateway.telemetry.instances import InstanceStatus
from strangler_gateway.upstream.balancing.rotation import Rotation
from strangler_gateway.upstream.connections.call import Call, Sink
from strangler_gateway.upstream.connections.host_names import HostNames
from strangler_gateway.upstream.connections.pool import ANY_AGE_S, Pool
from strangler_gateway.upstream.resilience.bulkhead import ENTERED, FULL, REFUSED, Bulkhead
from strangler_gateway.upstream.resilience.retry import RETRYABLE, ConnectionKillers, RetryBudget

_WRITE_FRESH_S: Final = 1.0
"""A request that may not be sent again only takes a pooled connection that was in use this recently."""
_MAX_TRIED: Final = 3
"""So many instances are tried for a call that finds no connection."""

_NO_INSTANCE: Final = -2
"""Beside ENTERED, FULL and REFUSED: nobody is there who could take a call."""


def instances_of(service: Service) -> tuple[Instance, ...]:
    """Those that routes.yaml names."""
    if service.instances:
        return service.instances
    return (Instance(service.unix or service.authority.decode(), service.host, service.port, service.unix),)


class Balancer:
    """A pool for each instance of a service. `draw`: a random number, at least 0, less than 1.

    `names`: what others have found out about hosts; None: it remembers for itself.
    """

    def __init__(
        self,
        service: Service,
        now: Callable[[], float],
        max_header: int,
        batch: WriteBatch,
        instances: Iterable[Instance] | None = None,
        draw: Callable[[], float] = random.random,
        names: HostNames | None = None,
    ) -> None:
        self.service = service
        self.now = now
        self.budget = RetryBudget(service.retry.budget, service.retry.floor)
        self.bulkhead = Bulkhead(service, now, self._go, _soon)
        self.killers = ConnectionKillers()
        self.rotation = Rotation(service.balance, draw)
        self._max_header, self._batch, self._names = max_header, batch, names or HostNames()
        self._only: Pool | None = None
        """The pool, where there is one alone."""
        self._leaving: list[Pool] = []
        self._nowhere = self._pool(Instance("", service.host, service.port), -inf)
        """Holds calls while no instance is known."""
        self.set_instances(instances_of(service) if instances is None else instances)

    @property
    def pools(self) -> list[Pool]:
        """One for each instance."""
        return self.rotation.pools

    def send(
        self, sink: Sink, method: bytes, target: bytes, head: bytes, *, complete: bool, upgrade: bytes = b""
    ) -> Call:
        """Starts a call; the sink hears of everything later, never from inside this function."""
        clock = self.now
        now = clock()
        self.budget.request(now)
        only = self._only
        pool = only or self.rotation.chosen() or self._nowhere
        call = Call(pool, sink, method, target, head, complete, upgrade)
        call.began = now
        if only is None:
            call.attempts = 1
        entered = self.bulkhead.enter(call, now) if pool is not self._nowhere else _NO_INSTANCE
        if entered == ENTERED:
            pool.active.add(call)
            pool.requests += 1
            _begin(call, pool, now)
        else:
            self._hold(call, entered, now)
        return call

    def _hold(self, call: Call, entered: int, now: float) -> None:
        """It is not sent now, or never."""
        call.pool = self._nowhere
        self._nowhere.active.add(call)
        if entered == FULL:
            self.bulkhead.wait(call, now)
        elif entered == REFUSED:
            self.bulkhead.refuse(call, now)
        else:
            _soon(lambda: call.refuse("has no instance"))

    @property
    def available(self) -> bool:
        """False while the breaker is open, or no instance is known."""
        bulkhead = self.bulkhead
        return bulkhead.free_until > 0 or (bool(self.pools) and bulkhead.breaker.admits(self.now()))

    def set_instances(self, instances: Iterable[Instance]) -> None:
        """From now on these are all. A pool stays as it is while its instance does; calls of the others finish."""
        wanted, now = dict.fromkeys(instances), self.now()
        known = {pool.instance: pool for pool in self.pools}
        since = now if known else -inf
        self.rotation.set_pools([known.get(one) or self._pool(one, since) for one in wanted], now)
        self._only = self.pools[0] if len(self.pools) == 1 else None
        limit = self.service.max_concurrency
        self.bulkhead.set_places(limit or self.service.max_connections * max(len(self.pools), 1))
        for instance, pool in known.items():
            if instance not in wanted:
                self._leave(pool, now)

    def retry(self, pool: Pool, call: Call, reused: bool) -> bool:
        """Sends a call again whose connection was lost before a byte of an answer came, where that is safe.

        To another instance if there is one, else on a new connection if it was on one that had been in use before.
        """
        now = self.now()
        if not reused:
            pool.failed()
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
        call.resent, call.attempts = True, max(call.attempts, 1) + 1
        if other is not None:
            self._move(call, other)
        (other or pool).dispatch(call, now)
        return True

    def connected(self, pool: Pool) -> None:
        """A connection has come about."""
        pool.health.refused_in_a_row = 0

    def refused(self, pool: Pool) -> None:
        """A connection has not come about."""
        if pool.watched:
            pool.health.failed(refused=True)
            self.suspect(pool)

    def suspect(self, pool: Pool) -> None:
        """An answer has come by which the instance may be one that fails more than the others."""
        self.rotation.judge(pool, self.now())

    def failed(self, pool: Pool) -> None:
        """No answer came, or none that is whole and valid."""
        if pool.watched:
            pool.health.failed()
            self.suspect(pool)

    def unconnected(self, pool: Pool, call: Call, error: UpstreamError) -> None:
        """Sends a call of which nothing has left to another instance, whatever its method; else it has failed."""
        now, other = self.now(), self._other(call)
        if other is None or not self.budget.spend(now):
            call.fail(error)
        else:
            self._hand_over(call, other, now)

    def sweep(self) -> None:
        """Time-outs of all calls; who is left out, and who comes back."""
        self.bulkhead.drop_overdue(self.now())
        for pool in (*self.pools, *self._leaving):
            pool.sweep()
        if self._leaving:
            self._leaving = [pool for pool in self._leaving if pool.active]
        if self._only is None:
            self.rotation.sweep(self.now())

    def close(self) -> None:
        """No new call comes: those that wait go now, idle connections end now, the others with their call."""
        if self.pools:
            self.bulkhead.release_all()
        self.set_instances(())

    def statuses(self) -> list[InstanceStatus]:
        """Of all instances, those that are about to leave excepted."""
        return [self._status(pool) for pool in self.pools]

    def _status(self, pool: Pool) -> InstanceStatus:
        return InstanceStatus(
            self.service.name,
            pool.instance.id,
            self.rotation.state(pool, self.now()),
            pool.requests,
            pool.failures,
            pool.health.ejections,
            len(pool.active),
            pool.open,
        )

    @property
    def active(self) -> list[Call]:
        """The calls under way."""
        return [call for pool in (*self.pools, *self._leaving, self._nowhere) for call in pool.active]

    def _go(self, call: Call, now: float) -> None:
        """Sends a call that has waited for a place."""
        pool = self._only or self.rotation.chosen()
        if pool is None:
            call.refuse("has no instance")
            return
        self._nowhere.active.discard(call)
        call.pool = pool
        pool.active.add(call)
        pool.requests += 1
        _begin(call, pool, now)

    def _pool(self, instance: Instance, since: float) -> Pool:
        pool = Pool(self, self.service, instance, self.now, self._max_header, self._batch, self._names)
        pool.since = since
        return pool

    def _leave(self, pool: Pool, now: float) -> None:
        """Its idle connections end; what only waits for one goes elsewhere."""
        pool.close()
        pool.watch(False)
        self._leaving.append(pool)
        for call in list(pool.waiting):
            other = self._other(call)
            if other is not None:
                self._hand_over(call, other, now)

    def _other(self, call: Call) -> Pool | None:
        """An instance that the call has not tried yet."""
        if (self._only is not None and call.pool is self._only) or len(call.tried) + 1 >= _MAX_TRIED:
            return None
        return self.rotation.chosen_besides((*call.tried, call.pool))

    def _hand_over(self, call: Call, pool: Pool, now: float) -> None:
        """Nothing of the call has left."""
        call.attempts = max(call.attempts, 1) + 1
        self._move(call, pool)
        _begin(call, pool, now)

    def _move(self, call: Call, pool: Pool) -> None:
        call.move(pool)
        pool.requests += 1


def _begin(call: Call, pool: Pool, now: float) -> None:
    """On a connection that is fresh enough for the call, else on a new one."""
    if not pool.reuse(call, now, ANY_AGE_S if call.method in RETRYABLE else _WRITE_FRESH_S):
        pool.dispatch(call, now)


def _soon(call: Callable[[], None]) -> None:
    """In the next turn of the loop."""
    asyncio.get_running_loop().call_soon(call)
