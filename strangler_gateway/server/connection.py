"""The client side of HTTP/1.1 (RFC 9112) as a protocol class for uvicorn: one exchange in flight per connection."""

import asyncio
import logging
import socket
import struct
from math import inf
from typing import Any, Final

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Handler, Outcome
from strangler_gateway.exchange.own_answers import reason_phrase
from strangler_gateway.exchange.replies import FAILED, OVERLOADED, Reply
from strangler_gateway.http.fields import Malformed, Pairs
from strangler_gateway.http.request_head import BadRequest, RequestHead
from strangler_gateway.http.response_head import ResponseHead
from strangler_gateway.http.websocket import PING, close_frame
from strangler_gateway.http.write_batch import Output
from strangler_gateway.server.admission import Queued
from strangler_gateway.server.front import Front
from strangler_gateway.server.request_body import RequestBody
from strangler_gateway.server.request_reader import RequestReader
from strangler_gateway.server.response_writer import ResponseWriter
from strangler_gateway.server.slow_reader import LOOK_S, SlowReader
from strangler_gateway.server.waiting_lane import WaitingLane
from strangler_gateway.upstream.heads.back import interim_lines

log = logging.getLogger(__name__)

_MAX_PIPELINED: Final = 64 * 1024
_UPLOAD, _PIPELINE = 1, 2
"""Reasons to pause reading: the handler takes no more of the body; too many requests wait behind this one."""
_TOO_MANY = Reply(503, "connection_limit_reached", "Too many connections.", ((b"Retry-After", b"1"),), close=True)
_OVERLOADED = Reply(
    503, "http_request_denied", "The gateway has more requests than it can serve.", ((b"Retry-After", b"1"),)
)
_HEADER_LATE = Reply(408, "http_request_error", "The request header did not arrive in time.", close=True)


class ClientConnection:
    """Reads requests one after the other; the handler of each answers through the methods of `exchange.outcome.Client`.

    `deadline`: monotonic seconds; what is waited for now ends then.
    """

    def __init__(self, front: Front, config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
        self.front = front
        self.connections: set[Any] = server_state.connections
        self.tasks: set[asyncio.Task[Any]] = server_state.tasks
        self.transport: asyncio.Transport
        self.out: Output
        self.writer: ResponseWriter
        self.reader = RequestReader(front.settings)
        self.body = RequestBody()
        self.slow_reader = SlowReader()
        self.peer = ""
        self.scheme = b"http"
        self.handler: Handler | None = None
        self.exchange: Exchange | None = None
        self.deadline = inf
        self.responding = False
        self.keep = True
        """The connection stays open behind this exchange."""
        self.full = False
        """The client reads too slowly: nothing more may be written now."""
        self.paused = 0
        self.draining = False
        """The process ends: the next answer that begins is the last one of this connection."""
        self.ending = False
        """And so is the one under way, though its client does not know yet."""
        self.lingering = False
        """Nothing more is read from this client; what was written still leaves."""
        self.half_closed = False
        """The client has ended its side, and still gets the answers to its requests."""
        self.parsing = False

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a TCP, TLS or Unix transport
        self.out = Output(self.front.batch, self.transport)
        self.writer = ResponseWriter(self.out)
        peer = transport.get_extra_info("peername")
        self.peer = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        self.scheme = b"https" if transport.get_extra_info("sslcontext") else b"http"
        self.connections.add(self)
        self.deadline = self.front.now() + self.front.settings.header_timeout_s
        if len(self.connections) > self.front.settings.max_connections:
            self._refuse("too_many_connections", _TOO_MANY)

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections.discard(self)
        self._gone()

    def eof_received(self) -> bool:
        """The client has ended its side: has it left, or does it wait for the answer? True keeps our side open."""
        self.half_closed = self._answers_half_close()
        if not self.half_closed:
            self.out.now()  # an answer may be due in this turn
            self._gone()
        elif not self.reader.buffer:
            self.keep = False
        return self.half_closed

    def _answers_half_close(self) -> bool:
        """`half_close:` of the service, for a whole request; until one is decided, of the route's legacy side."""
        exchange = self.exchange
        if exchange is None and isinstance(self.handler, Queued):  # its turn tells
            return any(one.half_close == "answer" for one in self.front.current.table.services.values())
        if exchange is None or self.handler is None or not self.body.done or self.writer.tunnel is not None:
            return False
        is_decided = exchange.decision is not None and exchange.has_service
        service = exchange.service if is_decided else exchange.route.legacy
        return service.half_close == "answer" and not exchange.protocol

    def _gone(self) -> None:
        """The client has left: what runs for it is ended at once (gateway.md C2)."""
        handler, exchange = self.handler, self.exchange
        self.handler = self.exchange = None
        self.lingering = True
        self._await()
        if handler is not None:
            handler.on_client_gone()
        if exchange is not None:
            if not exchange.protocol:
                exchange.stage = exchange.stage or b"client"
                exchange.status = exchange.status or 499
            self.front.done(exchange, self.front.now())

    def leave(self) -> None:
        """The next answer says that the connection ends behind it; until then the client may ask."""
        self.draining = True

    def shutdown(self) -> None:
        """Called by uvicorn at the end: finishes the exchange in flight, and takes no other."""
        self.draining = self.ending = True
        if self.handler is None and not self.lingering:
            self.out.now()
            self.transport.close()

    def close_tunnel(self, code: int) -> None:
        """Ends a WebSocket from our side, at the next frame boundary (RFC 6455 §7.4.1: 1001 = going away)."""
        tunnel = self.writer.tunnel
        if tunnel is None:
            return
        if tunnel.at_boundary:
            self.out.put(close_frame(code))
            self.out.now()
        self._gone()
        self.transport.close()

    # Time.

    def sweep(self, now: float) -> None:
        """Called a few times a second: ends what waits too long."""
        if self.writer.tunnel is not None and not self.lingering:
            self._keep_tunnel(now)
        elif self.deadline >= now:
            return
        elif self.full or (self.lingering and self.transport.get_write_buffer_size()):
            self._watch_slow_reader(now)
        elif self.lingering:
            self.transport.abort()
        elif self.transport.is_closing():
            return
        elif self.handler is not None:
            self._bad_body(408, "The request body did not arrive in time.")
        elif self.reader.buffer:
            self._refuse("late", _HEADER_LATE)
        else:
            self._close()

    def _keep_tunnel(self, now: float) -> None:
        """Pings an idle WebSocket between two frames (RFC 6455 §5.5.2); one that never answers is dead."""
        tunnel = self.writer.tunnel
        if tunnel is None or self.deadline >= now:
            return
        if self.full:
            self._watch_slow_reader(now)
        elif tunnel.at_boundary and tunnel.pinged:
            self._gone()
            self.transport.abort()
        elif tunnel.at_boundary:
            self.out.put(PING)
            self.out.soon()
            tunnel.pinged = True
            self.deadline = now + tunnel.ping_s

    def _watch_slow_reader(self, now: float) -> None:
        """Waits on while the client takes some of what is for it."""
        if self.slow_reader.has_stalled(self.transport.get_write_buffer_size(), now):
            self.transport.abort()
        else:
            self.deadline = now + LOOK_S

    def _await(self) -> None:
        """Sets how long what is waited for now may take."""
        settings = self.front.settings
        if self.full:
            self.slow_reader.watch()
            wait_s = LOOK_S
        elif self.lingering:
            self.slow_reader.watch()
            wait_s = settings.linger_s
        elif self.writer.tunnel is not None:
            wait_s = self.writer.tunnel.ping_s
        elif self.handler is None:
            wait_s = settings.header_timeout_s if self.reader.buffer else settings.keep_alive_s
        else:
            wait_s = inf if self.body.done or self.paused else settings.body_timeout_s
        self.deadline = self.front.now() + wait_s

    # Reading.

    def data_received(self, data: bytes) -> None:
        if self.lingering:
            return
        reader = self.reader
        if self.handler is None:
            last = reader.last
            if last is not None and data == last.received and not reader.buffer and not self.full:
                # The very bytes of the request before it: there is nothing to be read.
                self._start(last)
                return
            reader.buffer = reader.buffer + data if reader.buffer else data
            self._next()
        elif self.writer.tunnel is not None:
            self.writer.tunnel.pinged = False
            self.deadline = self.front.now() + self.writer.tunnel.ping_s
            self.handler.on_request_body(data)
            return
        elif not self.body.done:
            self._feed(data)
            return
        else:
            reader.buffer += data
        if len(reader.buffer) > _MAX_PIPELINED and self._must_wait():
            self._pause(_PIPELINE)

    def _next(self) -> None:
        """Takes requests from the buffer until one has to wait: for its answer, or for the client to read (C7)."""
        if self.parsing:
            return
        self.parsing = True
        reader = self.reader
        try:
            while self.handler is None and reader.buffer and not self.lingering and not self.full:
                request = reader.take()
                if request is None:
                    self.deadline = min(self.deadline, self.front.now() + self.front.settings.header_timeout_s)
                    break
                self._start(request)
        except BadRequest as exc:
            self._refuse(exc.reason, Reply(exc.status, "http_request_error", exc.message, close=True))
        finally:
            self.parsing = False
        if self.paused and not (len(reader.buffer) > _MAX_PIPELINED and self._must_wait()):
            self._resume(_PIPELINE)

    def _must_wait(self) -> bool:
        """Whether requests in the buffer wait: for the answer to the one before them, or for the client to read."""
        return (self.handler is not None or self.full) and not self.lingering

    def _start(self, request: RequestHead) -> None:
        admission, clock = self.front.admission, self.front.now
        now = clock()
        if admission.is_free():
            self._begin(request, now)
            return
        self.body.done, self.deadline = True, inf
        self.handler = admission.wait(self, request, now)
        if self.handler is None:
            self.refuse(request)

    def take_turn(self, request: RequestHead, since: float) -> None:
        """The turn of a request that has waited since then."""
        self.handler = None
        if request.meaning.length != 0:
            self._resume(_PIPELINE)  # for its body alone: the requests behind it go on waiting
        self._begin(request, since)
        if self.half_closed and self.exchange is not None and not self._answers_half_close():
            self._gone()
            self.transport.close()

    def refuse(self, request: RequestHead) -> None:
        """Answers 503, as cheaply as it can be done: there is too much to do already."""
        front, meaning = self.front, request.meaning
        self.handler = None
        front.refused(self.peer, OVERLOADED, _OVERLOADED)
        self.keep = meaning.keep_alive and not self.draining
        if self.keep and meaning.length == 0 and meaning.version == 11 and request.method != b"HEAD":
            self.out.put(front.own_answers.whole(_OVERLOADED))
            self.out.soon()
            self._answered(front.now())
            return
        self.exchange = Exchange(request, self.reader.memory, front.current.table, self.peer, self.scheme, front.now())
        self.body.done = meaning.length == 0
        self.reply(_OVERLOADED)

    def _begin(self, request: RequestHead, since: float) -> None:
        front = self.front
        exchange = Exchange(request, self.reader.memory, front.current.table, self.peer, self.scheme, since)
        self.exchange = exchange
        self.keep = request.meaning.keep_alive and not self.draining
        if request.meaning.length == 0:
            self.body.done, self.deadline = True, inf
        else:
            self.body.begin(request.meaning.length, front.settings.max_header)
            self.deadline = front.now() + front.settings.body_timeout_s
        try:
            self._take_up(front.pipeline.run(exchange))
        except Exception:
            self._fail()
        if self.handler is not None and not self.body.done and self.reader.buffer:
            data, self.reader.buffer = self.reader.buffer, b""
            self._feed(data)

    def _take_up(self, outcome: Outcome) -> None:
        """What the steps end in: a handler takes the request, a reply answers it, a wait goes on in a task."""
        if isinstance(outcome, Handler):
            self.handler = outcome
            outcome.start(self)
        elif isinstance(outcome, Reply):
            self.reply(outcome)
        elif self.exchange is not None:
            self.handler = waiting = WaitingLane(self.front.pipeline, self.exchange, outcome)
            task = waiting.wait(self)
            self.tasks.add(task)
            task.add_done_callback(self.tasks.discard)

    def proceed(self, outcome: Outcome) -> None:
        """A step has been waited for: goes on with what the steps end in."""
        try:
            self._take_up(outcome)
        except Exception:
            self._fail()

    def _failed_by(self, word: bytes) -> None:
        """The log tells why an answer under way ends."""
        if self.exchange is not None:
            self.exchange.proxy_status = word

    def _fail(self) -> None:
        log.exception("a step failed")
        if self.responding:
            self._failed_by(FAILED.code.encode())
            self.break_off()
        elif self.exchange is not None:
            self.reply(FAILED)

    def _feed(self, data: bytes) -> None:
        """Takes body bytes in the request's framing."""
        assert self.handler is not None
        self.deadline = self.front.now() + self.front.settings.body_timeout_s
        try:
            content, rest = self.body.feed(data)
        except Malformed as exc:
            self._bad_body(400, f"Malformed chunked body: {exc}.")
            return
        if self._too_long():
            return
        if content:
            self.handler.on_request_body(content)
        if self.body.done:
            self.deadline = inf
            self.reader.buffer = rest
            if self.handler is not None:
                self.handler.on_request_end(self.body.trailers)

    def _too_long(self) -> bool:
        """A chunked body shows its length only as it comes; before the steps have run, no route is known."""
        exchange = self.exchange
        limit = exchange.route.max_body if exchange is not None and self.body.is_chunked and exchange.step else None
        if limit is None or self.body.received <= limit:
            return False
        self._bad_body(413, f"The body is longer than {limit} bytes.")
        return True

    def _bad_body(self, status: int, message: str) -> None:
        """The body cannot be trusted: the upstream never sees a complete message (gateway.md F11)."""
        handler, self.handler = self.handler, None
        if handler is not None:
            handler.on_client_gone()
        if self.responding:
            self._failed_by(b"http_request_error")
            self.break_off()
        else:
            self.keep = False
            self.reply(Reply(status, "http_request_error", message, close=True))

    def _pause(self, reason: int) -> None:
        if not self.paused:
            self.transport.pause_reading()
        self.paused |= reason

    def _resume(self, reason: int) -> None:
        if self.paused & reason:
            self.paused &= ~reason
            if not self.paused and not self.transport.is_closing():
                self.transport.resume_reading()

    def pause_upload(self) -> None:
        """The handler cannot take more of the request body now."""
        self._pause(_UPLOAD)
        self._await()

    def resume_upload(self) -> None:
        """The handler takes body bytes again."""
        self._resume(_UPLOAD)
        self._await()

    # Writing.

    def pause_writing(self) -> None:
        self.full = True
        self._await()
        if self.handler is not None:
            self.handler.on_client_full()

    def resume_writing(self) -> None:
        self.full = False
        self._await()
        if self.handler is not None:
            self.handler.on_client_writable()
        else:
            self._go_on()

    def inform(self, head: ResponseHead) -> None:
        """A 1xx response, for clients that know them (RFC 9110 §15.2); 100 goes once, to who asked for it."""
        exchange = self.exchange
        if exchange is None or exchange.version == 10 or self.responding:
            return
        if head.meaning.status == 100:
            if not exchange.head.meaning.expect_continue or exchange.continued:
                return
            exchange.continued = True
        self.out.put(b"HTTP/1.1 %d %b\r\n%b\r\n" % (head.meaning.status, head.meaning.reason, interim_lines(head)))
        self.out.soon()

    def write_head(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        """Begins a response. `lines`: its field lines; `length`: bytes of the body, -1 or None where not known."""
        exchange = self.exchange
        assert exchange is not None
        exchange.status = status
        self.responding = True
        keep = self.keep and self.body.done and not self.draining
        self.keep = self.writer.head(exchange, status, reason, lines, length, keep)
        if status == 101:
            self._switch()

    def _switch(self) -> None:
        """What an eager client sent behind its handshake belongs to the new protocol."""
        self._await()
        if self.reader.buffer and self.handler is not None:
            data, self.reader.buffer = self.reader.buffer, b""
            self._resume(_PIPELINE)
            self.handler.on_request_body(data)

    def write_body(self, data: bytes) -> None:
        """A piece of the response body."""
        self.writer.body(data)
        if self.writer.tunnel is not None:
            self.deadline = self.front.now() + self.writer.tunnel.ping_s

    def flush(self) -> None:
        """Head and first body bytes leave in one write, at the end of this turn."""
        self.out.soon()

    def end_response(self, trailers: Pairs) -> None:
        """The response is complete."""
        exchange, clock = self.exchange, self.front.now
        assert exchange is not None
        self.writer.end(trailers if exchange.head.meaning.te_trailers else [])
        exchange.size = self.writer.size
        now = clock()
        self._ended(exchange, now)
        if not self.keep or self.ending or self.writer.tunnel is not None:
            self._close()
        else:
            self._answered(now)

    def _answered(self, now: float) -> None:
        """An answer is complete, and the connection stays: the next request begins if the client reads."""
        if self.full:
            self._await()
        else:
            self.deadline = now + self.front.keep_alive_s
            self._go_on()

    def _go_on(self) -> None:
        """The next request, which may be here already."""
        if self.paused:
            self._resume(_UPLOAD)
        if self.reader.buffer:
            self._next()
        if self.half_closed and self.handler is None and not (self.parsing or self.full or self.lingering):
            self._close()

    def _ended(self, exchange: Exchange, now: float) -> None:
        done = self.front.done
        self.handler = self.exchange = None
        self.responding = False
        done(exchange, now)

    def break_off(self) -> None:
        """The response cannot be completed: the client must not take it for complete (RFC 9112 §8)."""
        exchange = self.exchange
        self.out.now()
        if exchange is not None:
            self._ended(exchange, self.front.now())
        self.lingering = True
        self._await()
        if self.writer.ends_by_close:
            self._reset()
        else:
            self.transport.close()

    def _reset(self) -> None:
        """Ends by RST: where the close ends the body, a FIN would say that it is complete."""
        connection = self.transport.get_extra_info("socket")
        if connection is not None and connection.family != socket.AF_UNIX:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    def reply(self, reply: Reply) -> None:
        """An answer of the gateway's own."""
        fields, body = self.front.own_answers.of(reply, self.exchange)
        if self.exchange is not None:
            self.exchange.answered_here = True
            self._failed_by(reply.code.encode())
        if reply.close:
            self.keep = False
        self.write_head(reply.status, reason_phrase(reply.status).encode(), _lines(fields), len(body))
        if body:
            self.writer.body(body)
        self.end_response([])

    def _refuse(self, reason: str, reply: Reply) -> None:
        """Answers what never became a request, and reads no more of this connection (gateway.md F15)."""
        fields, body = self.front.own_answers.of(reply, None)
        phrase = reason_phrase(reply.status).encode()
        lines = _lines(fields)
        self.out.put(b"HTTP/1.1 %d %b\r\n%bConnection: close\r\n\r\n%b" % (reply.status, phrase, lines, body))
        self.front.refused(self.peer, reason, reply)
        self.body.done = False
        self._close()

    def _close(self) -> None:
        """Closes; where the client may still be sending, reads on for a moment, or a reset could eat the answer."""
        self.out.now()
        self.lingering = True
        self._await()
        self._resume(_PIPELINE | _UPLOAD)
        if self.half_closed or (self.body.done and not self.reader.buffer) or not self.transport.can_write_eof():
            self.transport.close()
        else:
            self.transport.write_eof()


def _lines(fields: Pairs) -> bytes:
    return b"".join([b"%b: %b\r\n" % pair for pair in fields])
