"""The connections to the origins: one pool a service, no task per request."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from math import inf
from typing import Final, cast

from strangler_gateway.exchange.errors import connect_error
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.table.routes import Service
from strangler_gateway.upstream.call import Call, Sink
from strangler_gateway.upstream.connection import IDLE_S, UpstreamConnection
from strangler_gateway.upstream.retry import RETRYABLE, ConnectionKillers, RetryBudget

_WRITE_FRESH_S: Final = 1.0
"""A request that may not be sent again only takes a pooled connection that was in use this recently."""


class Pool:
    """The connections to one service."""

    def __init__(self, service: Service, now: Callable[[], float], max_header: int, batch: WriteBatch) -> None:
        self.service = service
        self.now = now
        self.max_header = max_header
        self.batch = batch
        self.idle: list[UpstreamConnection] = []
        self.open = 0
        self.active: set[Call] = set()
        self.waiting: deque[Call] = deque()
        self.budget = RetryBudget()
        self.killers = ConnectionKillers()
        self.failures = 0
        self.closed = False
        self._open_until = 0.0
        self._context: ssl.SSLContext | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def send(
        self, sink: Sink, method: bytes, target: bytes, head: bytes, *, complete: bool, upgrade: bytes = b""
    ) -> Call:
        """Starts a call; the sink hears of everything later, never from inside this function."""
        call = Call(self, sink, method, target, head, complete, upgrade)
        self.active.add(call)
        clock = self.now
        now = clock()
        self.budget.request(now)
        if self._open_until <= now:
            if not self._reuse(call, now, inf if method in RETRYABLE else _WRITE_FRESH_S):
                self._dispatch(call, now)
        else:
            asyncio.get_running_loop().call_soon(call.refuse)
        return call

    @property
    def available(self) -> bool:
        """False while the breaker is open."""
        return self._open_until <= self.now()

    def release(self, connection: UpstreamConnection, idle_s: float) -> None:
        """A connection is free: for a waiting call, else to be kept."""
        while self.waiting:
            call = self.waiting.popleft()
            if not call.ended:
                connection.begin(call, self.now())
                return
        if self.closed:
            connection.discard()
            return
        clock = self.now
        connection.used_at = now = clock()
        connection.idle_until = now + idle_s
        self.idle.append(connection)

    def lost(self, connection: UpstreamConnection) -> None:
        """A connection has ended; one that waits for a place may open another."""
        self.open -= 1
        if connection in self.idle:
            self.idle.remove(connection)
        while self.waiting:
            call = self.waiting.popleft()
            if not call.ended:
                self._dispatch(call, self.now())
                return

    def retry(self, call: Call, reused: bool) -> bool:
        """Sends a call again whose connection was lost before a byte of an answer came, where that is safe."""
        now = self.now()
        seen = self.killers.note(call.method, call.target, now)
        if not reused or seen or call.method not in RETRYABLE or call.wrote_body or not call.complete:
            return False
        if not self.budget.spend(now):
            return False
        self._dispatch(call, now)
        return True

    def sweep(self) -> None:
        """Ends what waits too long; called a few times a second for all calls at once."""
        now = self.now()
        for call in [call for call in self.active if call.deadline < now]:
            call.expire()
        for connection in [c for c in self.idle if c.idle_until < now]:
            self.idle.remove(connection)
            connection.discard()

    def close(self) -> None:
        """No new call comes: idle connections end now, the others with their call."""
        self.closed = True
        for connection in self.idle:
            connection.discard()
        self.idle.clear()

    def _dispatch(self, call: Call, now: float) -> None:
        """Sends a call on a new connection; where no more may be opened, on any idle one, or it waits."""
        call.deadline = now + self.service.timeouts.connect
        if self.open < self.service.max_connections:
            self.open += 1
            task = asyncio.get_running_loop().create_task(self._connect(call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif not self._reuse(call, now, inf):
            self.waiting.append(call)

    def _reuse(self, call: Call, now: float, within_s: float) -> bool:
        """Sends a call on the idle connection that was in use last, if that was recently enough."""
        idle = self.idle
        while idle:
            connection = idle[-1]
            if now - connection.used_at > within_s:
                break
            idle.pop()
            if connection.usable(now):
                connection.begin(call, now)
                return True
            connection.discard()
        return False

    async def _connect(self, call: Call) -> None:
        try:
            connection = await self._open()
        except Exception as exc:
            self.open -= 1
            self._failed()
            call.fail(connect_error(self.service.name, exc))
            return
        self.failures = 0
        if call.ended:
            self.release(connection, IDLE_S)
        else:
            connection.begin(call, self.now())

    async def _open(self) -> UpstreamConnection:
        loop, service = asyncio.get_running_loop(), self.service
        context = self._tls() if service.scheme == "https" else None
        name = (service.tls.server_name or service.host) if context else None
        connection = UpstreamConnection(self)
        # A loop calls the methods of a protocol; a compiled class cannot have asyncio's as its base.
        protocol = lambda: cast(asyncio.Protocol, connection)  # noqa: E731  # used once, in two ways
        async with asyncio.timeout(service.timeouts.connect):
            if service.unix:
                await loop.create_unix_connection(protocol, service.unix, ssl=context, server_hostname=name)
            else:
                await loop.create_connection(protocol, service.host, service.port, ssl=context, server_hostname=name)
        return connection

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            tls = self.service.tls
            context = ssl.create_default_context(cafile=tls.ca_file)
            context.set_alpn_protocols(["http/1.1"])
            if not tls.verify:
                context.check_hostname = False
                context.verify_mode = ssl.CERT_NONE
            if tls.cert_file:
                context.load_cert_chain(tls.cert_file, tls.key_file)
            self._context = context
        return self._context

    def _failed(self) -> None:
        self.failures += 1
        if self.service.breaker_failures and self.failures >= self.service.breaker_failures:
            self._open_until = self.now() + self.service.breaker_open_s


class Upstreams:
    """The pools of all services; a pool lives as long as its service is unchanged in the table."""

    def __init__(self, now: Callable[[], float], max_header: int, batch: WriteBatch) -> None:
        self._now, self._max_header, self._batch = now, max_header, batch
        self._pools: dict[str, Pool] = {}
        self._leaving: list[Pool] = []

    def pool(self, service: Service) -> Pool:
        """The pool of a service, made on first use."""
        pool = self._pools.get(service.name)
        if pool is None or (pool.service is not service and pool.service != service):
            if pool is not None:
                self._leave(pool)
            pool = self._pools[service.name] = Pool(service, self._now, self._max_header, self._batch)
        return pool

    def breaker_open(self, service: Service) -> bool:
        """True while calls to the service are known to be futile."""
        return service.breaker_failures > 0 and not self.pool(service).available

    def keep(self, services: Mapping[str, Service]) -> None:
        """Lets go of the pools of services that the table no longer has; calls under way finish."""
        for name in [n for n, pool in self._pools.items() if services.get(n) != pool.service]:
            self._leave(self._pools.pop(name))

    def _leave(self, pool: Pool) -> None:
        pool.close()
        self._leaving.append(pool)

    def sweep(self) -> None:
        """Time-outs of all calls."""
        for pool in (*self._pools.values(), *self._leaving):
            pool.sweep()
        self._leaving = [pool for pool in self._leaving if pool.active]

    def close(self) -> None:
        """At the end of the process."""
        self.keep({})
        for pool in self._leaving:
            for call in list(pool.active):
                call.abort()
