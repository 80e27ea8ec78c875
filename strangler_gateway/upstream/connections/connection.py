"""A connection to an origin: HTTP/1.1 responses read strictly, handed over callback by callback."""

import asyncio
import select
from math import inf
from typing import Final, Protocol

from strangler_gateway.exchange.errors import UpstreamError
from strangler_gateway.http.chunked import AnswerDecoder
from strangler_gateway.http.dialects import end_of_section
from strangler_gateway.http.fields import Malformed, Pairs
from strangler_gateway.http.proxy_status import ErrorType
from strangler_gateway.http.response_head import BadResponse, ResponseHead, parse_response, repeated_response
from strangler_gateway.http.write_batch import Output, WriteBatch
from strangler_gateway.upstream.connections.call import NOBODY, Call, CallPool
from strangler_gateway.upstream.connections.unread_answer import UnreadAnswer
from strangler_gateway.upstream.time_left import WAITED_S

IDLE_S: Final = 30.0
_MAX_INFORMATIONAL: Final = 100


class ConnectionPool(CallPool, Protocol):
    """The pool that a connection belongs to, as the connection sees it."""

    @property
    def max_header(self) -> int:
        """Bytes of a response's header section."""
        ...

    @property
    def batch(self) -> WriteBatch: ...
    def release(self, connection: "UpstreamConnection", now: float, idle_s: float) -> None:
        """The connection is free, and may be kept so long."""

    def lost(self, connection: "UpstreamConnection") -> None:
        """The connection has ended."""

    def retry(self, call: Call, reused: bool) -> bool:
        """Whether a call whose connection was lost without an answer is sent again."""
        ...

    @property
    def watched(self) -> bool:
        """Whether it is told of answers."""
        ...

    def answered(self, status: int) -> None:
        """The final answer's head has come."""

    def failed(self) -> None:
        """The answer ended too early, or is none."""


class UpstreamConnection:
    """One connection to the origin, with at most one call under way."""

    def __init__(self, pool: ConnectionPool) -> None:
        self.pool = pool
        self.is_lenient = pool.service.lenient
        self.response_s = pool.service.timeouts.response
        self.transport: asyncio.Transport | None = None
        self.out: Output
        self.call: Call | None = None
        self.head: ResponseHead | None = None
        self.last: ResponseHead | None = None
        """The head before it, which an upstream sometimes repeats: byte for byte it means the same."""
        self.left = 0
        self.decoder: AnswerDecoder | None = None
        self.buffer = b""
        self.uses = 0
        self.informational = 0
        self.idle_until = 0.0
        self.used_at = 0.0
        self.full = False
        self.unread: UnreadAnswer | None = None
        """Set once the connection is lost, while an answer that had arrived is handed over."""
        self._ended_in_order = False
        self._descriptor = -1
        self._poll = select.poll()

    def begin(self, call: Call, now: float) -> None:
        """Sends a call's request on this connection."""
        call.connection = self
        self.call = call
        self.uses += 1
        self.informational = 0
        self.head = None
        call.deadline = now + self.response_s
        if now - call.began > WAITED_S:
            call.shorten(now)
        self.out.send(call.head)
        if call.pending is not None:
            self.out.send(b"".join(call.pending))
            call.pending, call.pending_size = None, 0
            if not self.full:
                call.sink.on_writable()

    def usable(self, now: float) -> bool:
        """Whether another call may be sent here: what waits to be read is its end, or an answer to nobody (R6)."""
        transport = self.transport
        return (
            transport is not None and not transport.is_closing() and self.idle_until >= now and not self._poll.poll(0)
        )

    def write(self, data: bytes) -> None:
        self.out.send(data)

    @property
    def is_tunnel(self) -> bool:
        """The protocol has been switched."""
        return self.head is not None and self.head.meaning.status == 101

    def pause(self) -> None:
        """Stops reading."""
        if self.transport is not None and self.unread is None:
            self.transport.pause_reading()

    def resume(self) -> None:
        """Reads on."""
        if self.unread is not None:
            asyncio.get_running_loop().call_soon(self._read_on, self.unread)
        elif self.transport is not None:
            self.transport.resume_reading()

    def close(self) -> None:
        """Ends behind what is to be written yet; reads no more."""
        if self.transport is not None:
            self.out.now()
            self.transport.close()

    def discard(self) -> None:
        """Never to be used again."""
        self.call = None
        if self.unread is not None:
            self.unread.close()
        if self.transport is not None:
            self.out.drop()
            self.transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a TCP, TLS or Unix transport
        self.out = Output(self.pool.batch, transport)  # type: ignore[arg-type]
        self._descriptor = transport.get_extra_info("socket").fileno()
        self._poll.register(self._descriptor, select.POLLIN)

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
        clock = self.pool.now
        now = clock()
        try:
            if self.head is None:
                self._read_head(call, data, now)
            else:
                call.deadline = now + call.idle_s
                self._body(call, data, now)
        except BadResponse as exc:
            self.pool.failed()
            call.fail(self._error(exc.code, f"sent an answer that is not valid HTTP/1.1: {exc}"))
        except Malformed as malformed:
            self.pool.failed()
            call.fail(self._error("http_protocol_error", f"sent a malformed chunked body: {malformed}"))
        if not call.ended:
            call.sink.flush()

    def _error(self, code: ErrorType, what: str) -> UpstreamError:
        stage = "response" if self.head is None else "body"
        return UpstreamError(code, f"The upstream {self.pool.service.name} {what}.", stage)

    def _read_head(self, call: Call, data: bytes, now: float) -> None:
        """Takes heads up to the final one, and what of the body came with it."""
        last = None if self.is_lenient or call.method == b"HEAD" else self.last
        if last is not None and data.startswith(last.received):
            self._take_head(call, last, now)
            data = data[len(last.received) :]
        while self.head is None:
            if self.call is not call:
                return
            end = end_of_section(data) if self.is_lenient else data.find(b"\r\n\r\n") + 4
            if end <= 3:
                self._incomplete(call, data)
                return
            if end > self.pool.max_header:
                raise BadResponse("the header section is too long", "http_response_header_section_size")
            received, data = data[:end], data[end:]
            head = repeated_response(received, last) if last is not None else None
            if head is None:
                head = parse_response(received, call.method, self.is_lenient)
            self._take_head(call, head, now)
            self.last = last = head if head.received else None
        if self.call is call:
            self._body(call, data, now)

    def _incomplete(self, call: Call, data: bytes) -> None:
        if len(data) > self.pool.max_header:
            raise BadResponse("the header section is too long", "http_response_header_section_size")
        if not data.startswith(b"HTTP/1."[: len(data)]):
            raise BadResponse("malformed status line")
        if b"\n\n" in data and not self.is_lenient:
            raise BadResponse("a line is not ended by CRLF")
        self.buffer = data

    def _take_head(self, call: Call, head: ResponseHead, now: float) -> None:
        if head.meaning.status >= 200:
            length, status, pool = head.length, head.meaning.status, self.pool
            self.head = head
            self.left = length if length is not None else -1
            self.decoder = AnswerDecoder(pool.max_header, self.is_lenient) if length == -1 else None
            call.answered = True
            if head.meaning.events:
                call.idle_s = inf
            call.deadline = now + call.idle_s
            if call.ticket and call.place is not None:
                call.place.answered(call, status, now)
            if pool.watched:
                pool.answered(status)
            call.sink.on_head(head)
        elif head.meaning.status == 101:
            self._upgraded(call, head, now)
        else:
            self.informational += 1
            if self.informational > _MAX_INFORMATIONAL:
                raise BadResponse("too many informational responses")
            call.deadline = now + self.response_s
            call.sink.on_informational(head)

    def _upgraded(self, call: Call, head: ResponseHead, now: float) -> None:
        if not head.meaning.upgrade or head.meaning.upgrade not in call.upgrade.split(b", ") or not call.complete:
            raise BadResponse("switched to a protocol that the client did not request", "http_upgrade_failed")
        self.head, self.left, self.decoder = head, -1, None
        head.length, head.meaning.keep_alive = None, False
        call.answered = True
        if call.ticket and call.place is not None:
            call.place.answered(call, head.meaning.status, now)
        call.idle_s = call.deadline = inf
        call.sink.on_head(head)

    def _body(self, call: Call, data: bytes, now: float) -> None:
        if self.decoder is not None:
            body, rest = self.decoder.feed(data)
            if body:
                call.sink.on_body(body)
            if self.decoder.done and self.call is call:
                self._end(call, self.decoder.trailers, rest, now)
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
                self._end(call, [], data[left:], now)

    def _end(self, call: Call, trailers: Pairs, rest: bytes, now: float) -> None:
        head, transport = self.head, self.transport
        assert head is not None
        assert transport is not None
        self.call = None
        # A late word of the client's buffer must not reach the connection, which may be another's by then.
        call.connection = None
        call.end()
        if call.paused:
            self.resume()
        if rest or not head.meaning.keep_alive or not call.complete or transport.is_closing():
            transport.close()
        else:
            timeout = head.meaning.keep_alive_timeout_s
            self.pool.release(self, now, IDLE_S if timeout is None else max(timeout - 1.0, 0.0))
        sink, call.sink = call.sink, NOBODY
        sink.on_end(trailers)

    def eof_received(self) -> None:
        """The upstream says nothing more, whatever it may still read: its answer is complete, or never will be."""
        call = self.call
        if call is not None and not self.is_tunnel:
            self._lost(call, in_order=True)
            self.discard()

    def connection_lost(self, exc: Exception | None) -> None:
        self.pool.lost(self)
        call = self.call
        if call is None or call.ended:
            self.call = None
        elif exc is None or self.is_tunnel or self.pool.service.scheme == "https":
            self._lost(call, in_order=exc is None)
        else:
            self._ended_in_order = isinstance(exc, BrokenPipeError)
            self._read_unread(call)

    def _read_unread(self, call: Call) -> None:
        """Often a write failed because the upstream had answered early, and left (RFC 9112 §9.6)."""
        try:
            self.unread = UnreadAnswer(self._descriptor)
        except OSError:  # no descriptor is free
            self._lost(call, in_order=False)
        else:
            self._read_on(self.unread)

    def _read_on(self, unread: UnreadAnswer) -> None:
        """Hands over what a lost connection had received, as fast as the client takes it."""
        while (call := self.call) is not None and not call.paused:
            try:
                data = unread.read()
            except OSError:
                self._lost(call, in_order=False)
                break
            if not data:
                self._lost(call, self._ended_in_order)
                break
            self.data_received(data)
        if self.call is None:
            unread.close()

    def _lost(self, call: Call, in_order: bool) -> None:
        """Nothing more comes of the call. `in_order`: the upstream had ended its side, rather than reset it."""
        self.call = None
        call.connection = None
        if self.head is None:
            if self.buffer or self.informational:
                self.pool.failed()
            elif self.pool.retry(call, reused=self.uses > 1):
                return
            call.fail(self._error("connection_terminated", "closed the connection without an answer"))
        elif self.left < 0 and self.decoder is None and in_order:
            call.end()
            sink, call.sink = call.sink, NOBODY
            sink.on_end([])
            sink.flush()
        else:
            self.pool.failed()
            call.fail(self._error("http_response_incomplete", "closed the connection in the middle of its answer"))
