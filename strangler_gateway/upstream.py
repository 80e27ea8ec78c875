"""Calls to one origin: a pool of HTTP/1.1 connections, callback to callback, no task per request."""

import asyncio
import ssl
from collections import deque
from collections.abc import Callable, Mapping
from math import inf
from typing import Protocol

from strangler_gateway.chunked import ChunkedDecoder
from strangler_gateway.errors import UpstreamError, connect_error
from strangler_gateway.fields import Malformed, Pairs
from strangler_gateway.http1 import BadResponse, ResponseHead, parse_response
from strangler_gateway.retry import RETRYABLE, Killers, RetryBudget
from strangler_gateway.routes import Service

_IDLE_S = 30.0
_WRITE_FRESH_S = 1.0
"""A request that may not be sent again only takes a pooled connection that was in use this recently."""
_MAX_PENDING = 64 * 1024
_MAX_INFORMATIONAL = 100
_EVENT_STREAM = b"text/event-stream"
"""Silent as long as it likes: no idle limit."""


class Sink(Protocol):
    """Takes what comes of a call. After on_end or on_error nothing follows."""

    def on_informational(self, head: ResponseHead) -> None: ...
    def on_head(self, head: ResponseHead) -> None: ...
    def on_body(self, data: bytes) -> None: ...
    def on_end(self, trailers: Pairs) -> None: ...
    def on_error(self, error: UpstreamError) -> None: ...
    def on_full(self) -> None:
        """The request body has to wait."""

    def on_writable(self) -> None:
        """The request body may go on."""

    def flush(self) -> None:
        """All that one read brought has been handed over."""


class _Nobody:
    """The sink of a call that has ended: it breaks the cycle call → sink → call, which only the collector could end."""

    def on_informational(self, head: ResponseHead) -> None: ...
    def on_head(self, head: ResponseHead) -> None: ...
    def on_body(self, data: bytes) -> None: ...
    def on_end(self, trailers: Pairs) -> None: ...
    def on_error(self, error: UpstreamError) -> None: ...
    def on_full(self) -> None: ...
    def on_writable(self) -> None: ...
    def flush(self) -> None: ...


_NOBODY = _Nobody()


class Call:
    """One request towards an origin. `head` is kept as built, so that a retry sends the same bytes."""

    __slots__ = (
        "answered",
        "complete",
        "connection",
        "deadline",
        "ended",
        "head",
        "idle_s",
        "method",
        "pending",
        "pending_size",
        "pool",
        "sink",
        "target",
        "upgrade",
        "wrote_body",
    )

    def __init__(
        self, pool: "Pool", sink: Sink, method: bytes, target: bytes, head: bytes, complete: bool, upgrade: bool
    ) -> None:
        self.pool = pool
        self.sink = sink
        self.method = method
        self.target = target
        self.head = head
        self.complete = complete
        """The whole request has been handed over."""
        self.upgrade = upgrade
        """The request asks to switch the protocol."""
        self.connection: Connection | None = None
        self.pending: list[bytes] = []
        self.pending_size = 0
        self.wrote_body = False
        self.answered = False
        self.ended = False
        self.idle_s = pool.service.timeouts.idle or inf
        self.deadline = inf

    def write(self, data: bytes) -> None:
        """More of the body, framed as the head says."""
        self.wrote_body = True
        if self.connection is not None:
            if not self.answered:
                self.deadline = self.pool.now() + self.pool.service.timeouts.response
            self.connection.write(data)
            return
        self.pending.append(data)
        self.pending_size += len(data)
        if self.pending_size > _MAX_PENDING:
            self.sink.on_full()

    def pause(self) -> None:
        """Stops reading the response (the client is slow)."""
        if self.connection is not None and self.connection.transport is not None:
            self.connection.transport.pause_reading()
            self.deadline = inf

    def resume(self) -> None:
        """Reads on."""
        if self.connection is not None and self.connection.transport is not None:
            self.deadline = self.pool.now() + self.idle_s
            self.connection.transport.resume_reading()

    def abort(self) -> None:
        """Nobody wants the answer any more: the upstream connection is ended at once."""
        if not self.ended:
            self.end()
            self.sink = _NOBODY
            if self.connection is not None:
                self.connection.discard()

    def end(self) -> None:
        """Releases what the call held; its sink hears nothing more."""
        self.ended = True
        self.pool.active.discard(self)

    def fail(self, error: UpstreamError) -> None:
        """Ends the call with an error."""
        if not self.ended:
            self.end()
            if self.connection is not None:
                self.connection.discard()
            sink, self.sink = self.sink, _NOBODY
            sink.on_error(error)
            sink.flush()

    def refuse(self) -> None:
        """The breaker is open."""
        name = self.pool.service.name
        self.fail(UpstreamError("destination_unavailable", f"The upstream {name} is known to be away.", "connect"))

    def expire(self) -> None:
        """The deadline has passed."""
        name = self.pool.service.name
        if self.connection is None:
            self.fail(
                UpstreamError(
                    "connection_timeout", f"The upstream {name} could not be connected to in time.", "connect"
                )
            )
        elif not self.answered:
            self.fail(
                UpstreamError("http_response_timeout", f"The upstream {name} did not answer in time.", "response")
            )
        else:
            self.fail(UpstreamError("connection_read_timeout", f"The upstream {name} stopped in mid-answer.", "body"))


class Connection(asyncio.Protocol):
    """One connection to the origin, with at most one call under way."""

    def __init__(self, pool: "Pool") -> None:
        self.pool = pool
        self.transport: asyncio.Transport | None = None
        self.call: Call | None = None
        self.head: ResponseHead | None = None
        self.left = 0
        self.decoder: ChunkedDecoder | None = None
        self.buffer = b""
        self.uses = 0
        self.informational = 0
        self.idle_until = 0.0
        self.used_at = 0.0
        self.full = False

    def begin(self, call: Call) -> None:
        """Sends a call's request on this connection."""
        assert self.transport is not None
        call.connection = self
        self.call = call
        self.uses += 1
        self.informational = 0
        self.head = None
        call.deadline = self.pool.now() + self.pool.service.timeouts.response
        if call.pending:
            self.transport.write(b"".join((call.head, *call.pending)))
            call.pending, call.pending_size = [], 0
            if not self.full:
                call.sink.on_writable()
        else:
            self.transport.write(call.head)

    def write(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)

    def discard(self) -> None:
        """Never to be used again."""
        self.call = None
        if self.transport is not None:
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a TCP, TLS or Unix transport

    def pause_writing(self) -> None:
        self.full = True
        if self.call is not None:
            self.call.sink.on_full()

    def resume_writing(self) -> None:
        self.full = False
        if self.call is not None:
            self.call.sink.on_writable()

    def data_received(self, data: bytes) -> None:
        call = self.call
        if call is None:
            # Bytes that nobody asked for: never to be taken for the next request's answer (gateway.md R6).
            self.discard()
            return
        if self.buffer:
            data, self.buffer = self.buffer + data, b""
        sink = call.sink
        call.deadline = self.pool.now() + call.idle_s
        try:
            self._read(call, data)
        except BadResponse as exc:
            call.fail(self._error(exc.code, f"answered what is not HTTP/1.1: {exc}"))
        except Malformed as exc:
            call.fail(self._error("http_protocol_error", f"sent a malformed chunked body: {exc}"))
        sink.flush()

    def _error(self, code: str, what: str) -> UpstreamError:
        stage = "response" if self.head is None else "body"
        return UpstreamError(code, f"The upstream {self.pool.service.name} {what}.", stage)

    def _read(self, call: Call, data: bytes) -> None:
        while self.head is None:
            end = data.find(b"\r\n\r\n") + 4
            if end == 3:
                self._incomplete(call, data)
                return
            if end > self.pool.max_header:
                raise BadResponse("the header section is too long", "http_response_header_section_size")
            head = parse_response(data[:end], call.method)
            data = data[end:]
            self._take_head(call, head)
            if self.call is not call:
                return
        self._body(call, data)

    def _incomplete(self, call: Call, data: bytes) -> None:
        if len(data) > self.pool.max_header:
            raise BadResponse("the header section is too long", "http_response_header_section_size")
        if not data.startswith(b"HTTP/1."[: len(data)]):
            raise BadResponse("malformed status line")
        if b"\n\n" in data:
            raise BadResponse("a line is not ended by CRLF")
        call.deadline = min(call.deadline, self.pool.now() + self.pool.service.timeouts.response)
        self.buffer = data

    def _take_head(self, call: Call, head: ResponseHead) -> None:
        if head.status >= 200:
            self.head = head
            self.left = head.length if head.length is not None else -1
            self.decoder = ChunkedDecoder(self.pool.max_header) if head.length == -1 else None
            call.answered = True
            if _EVENT_STREAM in head.lines:
                call.idle_s = call.deadline = inf
            call.sink.on_head(head)
        elif head.status == 101:
            self._upgraded(call, head)
        else:
            self.informational += 1
            if self.informational > _MAX_INFORMATIONAL:
                raise BadResponse("too many informational responses")
            call.sink.on_informational(head)

    def _upgraded(self, call: Call, head: ResponseHead) -> None:
        if not (head.upgrade and call.upgrade):
            raise BadResponse("switched to a protocol that nobody asked for", "http_upgrade_failed")
        self.head, self.left, self.decoder = head, -1, None
        head.length, head.keep_alive = None, False
        call.answered = True
        call.idle_s = call.deadline = inf
        call.sink.on_head(head)

    def _body(self, call: Call, data: bytes) -> None:
        if self.decoder is not None:
            body, rest = self.decoder.feed(data)
            if body:
                call.sink.on_body(body)
            if self.decoder.done and self.call is call:
                self._end(call, self.decoder.trailers, rest)
        elif self.left < 0:
            if data:
                call.sink.on_body(data)
        elif len(data) < self.left:
            if data:
                self.left -= len(data)
                call.sink.on_body(data)
        else:
            left, self.left = self.left, 0
            if left:
                call.sink.on_body(data if len(data) == left else data[:left])
            if self.call is call:
                self._end(call, [], data[left:])

    def _end(self, call: Call, trailers: Pairs, rest: bytes) -> None:
        assert self.head is not None
        assert self.transport is not None
        self.call = None
        call.end()
        if rest or not self.head.keep_alive or not call.complete or self.transport.is_closing():
            self.transport.close()
        else:
            timeout = self.head.keep_alive_timeout_s
            self.pool.release(self, _IDLE_S if timeout is None else max(timeout - 1.0, 0.0))
        sink, call.sink = call.sink, _NOBODY
        sink.on_end(trailers)

    def connection_lost(self, exc: Exception | None) -> None:
        self.pool.lost(self)
        call, self.call = self.call, None
        if call is None or call.ended:
            return
        call.connection = None
        if self.head is None:
            silent = not self.buffer and not self.informational
            if silent and self.pool.retry(call, reused=self.uses > 1):
                return
            call.fail(self._error("connection_terminated", "closed the connection without an answer"))
        elif self.left < 0 and self.decoder is None and exc is None:
            call.end()
            sink, call.sink = call.sink, _NOBODY
            sink.on_end([])
            sink.flush()
        else:
            call.fail(self._error("http_response_incomplete", "broke off in mid-answer"))


class Pool:
    """The connections to one service."""

    def __init__(self, service: Service, now: Callable[[], float], max_header: int) -> None:
        self.service = service
        self.now = now
        self.max_header = max_header
        self.idle: list[Connection] = []
        self.open = 0
        self.active: set[Call] = set()
        self.waiting: deque[Call] = deque()
        self.budget = RetryBudget()
        self.killers = Killers()
        self.failures = 0
        self.closed = False
        self._open_until = 0.0
        self._context: ssl.SSLContext | None = None
        self._tasks: set[asyncio.Task[None]] = set()

    def send(
        self, sink: Sink, method: bytes, target: bytes, head: bytes, *, complete: bool, upgrade: bool = False
    ) -> Call:
        """Starts a call; the sink hears of everything later, never from inside this function."""
        call = Call(self, sink, method, target, head, complete, upgrade)
        self.active.add(call)
        self.budget.request(self.now())
        if self.available:
            self._dispatch(call, fresh=False)
        else:
            asyncio.get_running_loop().call_soon(call.refuse)
        return call

    @property
    def available(self) -> bool:
        """False while the breaker is open."""
        return self._open_until <= self.now()

    def release(self, connection: Connection, idle_s: float) -> None:
        """A connection is free: for a waiting call, else to be kept."""
        while self.waiting:
            call = self.waiting.popleft()
            if not call.ended:
                connection.begin(call)
                return
        if self.closed:
            connection.discard()
            return
        connection.used_at = self.now()
        connection.idle_until = connection.used_at + idle_s
        self.idle.append(connection)

    def lost(self, connection: Connection) -> None:
        """A connection has ended; one that waits for a place may open another."""
        self.open -= 1
        if connection in self.idle:
            self.idle.remove(connection)
        while self.waiting:
            call = self.waiting.popleft()
            if not call.ended:
                self._dispatch(call, fresh=True)
                return

    def retry(self, call: Call, reused: bool) -> bool:
        """Sends a call again whose connection was lost before a byte of an answer came, where that is safe."""
        seen = self.killers.note(call.method, call.target, self.now())
        if not reused or seen or call.method not in RETRYABLE or call.wrote_body or not call.complete:
            return False
        if not self.budget.spend(self.now()):
            return False
        self._dispatch(call, fresh=True)
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

    def _dispatch(self, call: Call, fresh: bool) -> None:
        now = self.now()
        call.deadline = now + self.service.timeouts.connect
        while self.idle and not fresh:
            connection = self.idle[-1]
            if call.method not in RETRYABLE and now - connection.used_at > _WRITE_FRESH_S:
                break
            self.idle.pop()
            if (
                connection.idle_until >= now
                and connection.transport is not None
                and not connection.transport.is_closing()
            ):
                connection.begin(call)
                return
            connection.discard()
        if self.open < self.service.max_connections:
            self.open += 1
            task = asyncio.get_running_loop().create_task(self._connect(call))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif self.idle:
            self.idle.pop().begin(call)
        else:
            self.waiting.append(call)

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
            self.release(connection, _IDLE_S)
        else:
            connection.begin(call)

    async def _open(self) -> Connection:
        loop, service = asyncio.get_running_loop(), self.service
        context = self._tls() if service.scheme == "https" else None
        name = (service.tls.server_name or service.host) if context else None
        connection = Connection(self)
        async with asyncio.timeout(service.timeouts.connect):
            if service.unix:
                await loop.create_unix_connection(lambda: connection, service.unix, ssl=context, server_hostname=name)
            else:
                await loop.create_connection(
                    lambda: connection, service.host, service.port, ssl=context, server_hostname=name
                )
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

    def __init__(self, now: Callable[[], float], max_header: int) -> None:
        self._now, self._max_header = now, max_header
        self._pools: dict[str, Pool] = {}
        self._leaving: list[Pool] = []

    def pool(self, service: Service) -> Pool:
        """The pool of a service, made on first use."""
        pool = self._pools.get(service.name)
        if pool is None or (pool.service is not service and pool.service != service):
            if pool is not None:
                self._leave(pool)
            pool = self._pools[service.name] = Pool(service, self._now, self._max_header)
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
