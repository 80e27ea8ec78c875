"""The connections to one instance of a service; no task per request."""

import asyncio
import json
import ssl
from collections import OrderedDict, deque
from collections.abc import Callable
from math import inf
from typing import Final, Protocol, cast

from chassis.discovery.port import Instance
from strangler_gateway.exchange.errors import UpstreamError, connect_error
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.table.routes import Service
from strangler_gateway.upstream.connections.call import Call
from strangler_gateway.upstream.connections.connection import IDLE_S, UpstreamConnection
from strangler_gateway.upstream.connections.host_names import HostNames
from strangler_gateway.upstream.health.instance_health import InstanceHealth

ANY_AGE_S: Final = inf


class PoolOwner(Protocol):
    """Who decides what becomes of a call that an instance did not take or answer, as the pool sees it."""

    def retry(self, pool: "Pool", call: Call, reused: bool) -> bool:
        """Whether a call whose connection was lost without an answer is sent again."""
        ...

    def connected(self, pool: "Pool") -> None:
        """A connection has come about."""

    def refused(self, pool: "Pool") -> None:
        """A connection has not come about."""

    def suspect(self, pool: "Pool") -> None:
        """An answer has come by which the instance may be one that fails more than the others."""

    def failed(self, pool: "Pool") -> None:
        """It did not answer, or not to the end."""

    def unconnected(self, pool: "Pool", call: Call, error: UpstreamError) -> None:
        """The call has found no connection; nothing of it has left."""


class Pool:
    """The connections to one instance, and the calls that it has."""

    def __init__(
        self,
        owner: PoolOwner,
        service: Service,
        instance: Instance,
        now: Callable[[], float],
        max_header: int,
        batch: WriteBatch,
        names: HostNames,
    ) -> None:
        self.owner = owner
        self.service = service
        self.instance = instance
        self.logged = b',"instance":%b' % json.dumps(instance.id).encode() if instance.id else b""
        self.now = now
        self.max_header = max_header
        self.batch = batch
        self.idle: list[UpstreamConnection] = []
        self.open = 0
        self.active: set[Call] = set()
        self.waiting: deque[Call] = deque()
        """Calls for which no connection is being opened: there are as many as there may be."""
        self.connecting: OrderedDict[Call, None] = OrderedDict()
        """Calls for which one is being opened, and which take any that is free before: where the system asks again for
        a connection, that takes a second. A call that is sent again wants a new one."""
        self.closed = False
        self.requests = 0
        self.failures = 0
        """Calls in all, and those without a whole and valid answer."""
        self.watched = False
        """Whether its health is kept."""
        self.health = InstanceHealth()
        self.since = -inf
        """When it came, or came back; -inf: with the service."""
        self._names = names
        self._context: ssl.SSLContext | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def release(self, connection: UpstreamConnection, now: float, idle_s: float) -> None:
        """A connection is free: for a waiting call, else to be kept."""
        connection.used_at = now
        connection.idle_until = now + idle_s
        if (self.waiting or self.connecting) and self._hand_on(connection, now):
            return
        if self.closed:
            connection.discard()
            return
        self.idle.append(connection)

    def _hand_on(self, connection: UpstreamConnection, now: float) -> bool:
        """To the next call that waits, if there is one; a connection that cannot be used again ends."""
        if connection.uses and not connection.usable(now):
            connection.discard()
            return True
        while self.waiting or self.connecting:
            call = self.waiting.popleft() if self.waiting else self.connecting.popitem(last=False)[0]
            if not call.ended:
                connection.begin(call, now)
                return True
        return False

    def lost(self, connection: UpstreamConnection) -> None:
        """A connection has ended; one that waits for a place may open another."""
        self.open -= 1
        if connection in self.idle:
            self.idle.remove(connection)
        self._open_another()

    def _open_another(self) -> None:
        while self.waiting:
            call = self.waiting.popleft()
            if not call.ended:
                self.dispatch(call, self.now())
                return

    def retry(self, call: Call, reused: bool) -> bool:
        """Whether a call whose connection was lost before a byte of an answer came is sent again."""
        return self.owner.retry(self, call, reused)

    def answered(self, status: int) -> None:
        """The final answer's head has come."""
        if not self.health.answered(status):
            self.owner.suspect(self)

    def failed(self) -> None:
        """A call has got no answer, or none that is whole and valid."""
        self.failures += 1
        self.owner.failed(self)

    def watch(self, watched: bool) -> None:
        """Whether its health is kept: only where there are other instances to compare with, and to choose."""
        if not watched:
            self.health = InstanceHealth()
        self.watched = watched

    def sweep(self) -> None:
        """Ends what waits too long; called a few times a second for all calls at once."""
        now = self.now()
        for call in [call for call in self.active if call.deadline < now]:
            if call.connection is None:
                self.owner.unconnected(self, call, connect_error(self.service.name, TimeoutError()))
            else:
                self._expire(call)
        for connection in [c for c in self.idle if c.idle_until < now]:
            self.idle.remove(connection)
            connection.discard()

    def _expire(self, call: Call) -> None:
        is_tunnel = call.connection is not None and call.connection.is_tunnel
        call.expire()
        if call.ended and not is_tunnel:
            self.failed()

    def close(self) -> None:
        """No new call comes: idle connections end now, the others with their call."""
        self.closed = True
        for connection in self.idle:
            connection.discard()
        self.idle.clear()

    def leave(self, call: Call) -> None:
        """The call goes elsewhere."""
        self.active.discard(call)
        self.connecting.pop(call, None)
        if call in self.waiting:
            self.waiting.remove(call)

    def dispatch(self, call: Call, now: float) -> None:
        """Sends a call on a new connection; where no more may be opened, on any idle one, or it waits."""
        call.deadline = now + self.service.timeouts.connect
        if self.open < self.service.max_connections:
            self.open += 1
            if not call.resent:
                self.connecting[call] = None
            task = asyncio.get_running_loop().create_task(self._connect(call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif not self.reuse(call, now, ANY_AGE_S):
            self.waiting.append(call)

    def reuse(self, call: Call, now: float, within_s: float) -> bool:
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

    async def try_connection(self) -> None:
        """Opens a connection and ends it. Raises what connecting raises."""
        (await self._open()).discard()

    async def _connect(self, call: Call) -> None:
        try:
            connection = await self._open()
        except Exception as exc:
            self.open -= 1
            self.failures += 1
            self.owner.refused(self)
            if self._still_waits(call):
                self.owner.unconnected(self, call, connect_error(self.service.name, exc))
            self._open_another()
            return
        self.owner.connected(self)
        if self._still_waits(call):
            connection.begin(call, self.now())
        else:
            self.release(connection, self.now(), IDLE_S)

    def _still_waits(self, call: Call) -> bool:
        """Whether the call has found no other connection, and is wanted yet."""
        self.connecting.pop(call, None)
        return call.pool is self and call.connection is None and not call.ended

    async def _open(self) -> UpstreamConnection:
        loop, service, instance = asyncio.get_running_loop(), self.service, self.instance
        context = self._tls() if service.scheme == "https" else None
        name = (service.tls.server_name or instance.host) if context else None
        connection = UpstreamConnection(self)
        # A loop calls the methods of a protocol; a compiled class cannot have asyncio's as its base.
        protocol = lambda: cast(asyncio.Protocol, connection)  # noqa: E731  # used once, in two ways
        async with asyncio.timeout(service.timeouts.connect):
            if instance.unix:
                await loop.create_unix_connection(protocol, instance.unix, ssl=context, server_hostname=name)
            else:
                await self._connect_to_host(protocol, context, name)
        return connection

    async def _connect_to_host(
        self, protocol: Callable[[], asyncio.Protocol], context: ssl.SSLContext | None, name: str | None
    ) -> None:
        """To the first of its addresses that takes a connection. Raises OSError."""
        loop, instance = asyncio.get_running_loop(), self.instance
        *others, last = await self._names.addresses(instance.host, self.service.timeouts.connect)
        for address in others:
            try:
                await loop.create_connection(protocol, address, instance.port, ssl=context, server_hostname=name)
                return
            except ssl.SSLError:
                raise
            except OSError:
                continue
        await loop.create_connection(protocol, last, instance.port, ssl=context, server_hostname=name)

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
