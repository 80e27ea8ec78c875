"""The client side of HTTP/1.1 (RFC 9112) as a protocol class for uvicorn: one exchange in flight per connection."""

import asyncio
import logging
import socket
import struct
from math import inf
from typing import TYPE_CHECKING, Any, Protocol

from strangler_gateway.exchange.errors import reason_phrase
from strangler_gateway.exchange.exchange import Exchange, Outcome, Reply
from strangler_gateway.http import chunked
from strangler_gateway.http.chunked import ChunkedDecoder
from strangler_gateway.http.fields import Malformed, Pairs
from strangler_gateway.http.request_head import BadRequest, RequestHead, incomplete_request, parse_request
from strangler_gateway.http.response_head import ResponseHead
from strangler_gateway.http.websocket import PING, Frames, close_frame
from strangler_gateway.http.write_batch import Output
from strangler_gateway.server.application_lane import Cycle
from strangler_gateway.server.fast_lane import Relay
from strangler_gateway.steps.pipeline import run
from strangler_gateway.upstream.heads_back import interim_lines

if TYPE_CHECKING:
    from strangler_gateway.steps.pipeline import Gateway

log = logging.getLogger(__name__)

_MAX_PIPELINED = 64 * 1024
_STALL_S, _LOOK_S = 300.0, 2.0
_CHECK_STEP = 512
_UPLOAD, _PIPELINE = 1, 2
_DELIMITED, _CHUNKED, _BY_CLOSE, _NONE, _TUNNEL = range(5)
_TOO_MANY = Reply(503, "connection_limit_reached", "Too many connections.", ((b"Retry-After", b"1"),), close=True)


class Lane(Protocol):
    """What takes the request of a connection, and answers through the connection's methods."""

    def on_request_body(self, data: bytes) -> None: ...
    def on_request_end(self, trailers: Pairs) -> None: ...
    def on_client_gone(self) -> None: ...
    def on_client_full(self) -> None: ...
    def on_client_writable(self) -> None: ...


class ClientConnection(asyncio.Protocol):
    """Reads requests one after the other; writes each response in the framing that the client understands."""

    def __init__(self, gateway: "Gateway", config: Any, server_state: Any, app_state: Any, _loop: Any = None) -> None:
        self.gateway = gateway
        self.app = config.loaded_app
        self.app_state = app_state
        self.loop: asyncio.AbstractEventLoop = _loop or asyncio.get_running_loop()
        self.connections: set[Any] = server_state.connections
        self.tasks: set[asyncio.Task[Any]] = server_state.tasks
        self.transport: asyncio.Transport
        self.peer = ""
        self.address: Any = None
        self.scheme = b"http"
        self.buffer = b""
        self.checked = 0
        """How long an incomplete head has to be to be looked at again: byte by byte it must not cost a look each."""
        self.deadline = inf
        self.lane: Lane | None = None
        self.x: Exchange | None = None
        self.last: RequestHead | None = None
        self.left = 0
        self.decoder: ChunkedDecoder | None = None
        self.body_done = True
        self.received = 0
        self.responding = False
        self.framing = _NONE
        self.keep = True
        self.out: Output
        self.full = False
        self.unsent = inf
        """Bytes for the client that it had not taken when last looked at."""
        self.stalls = inf
        self.paused = 0
        self.draining = False
        self.lingering = False
        self.parsing = False
        self.frames: Frames | None = None
        self.ping_s = inf
        self.pinged = False

    # The connection.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport  # type: ignore[assignment]  # a TCP, TLS or Unix transport
        self.out = Output(self.gateway.turn, self.transport)
        peer = transport.get_extra_info("peername")
        self.address = transport.get_extra_info("sockname")
        self.peer = str(peer[0]) if isinstance(peer, tuple) and peer else ""
        self.scheme = b"https" if transport.get_extra_info("sslcontext") else b"http"
        self.connections.add(self)
        self.deadline = self.gateway.now() + self.gateway.settings.header_timeout_s
        if len(self.connections) > self.gateway.settings.max_connections:
            self._refuse(_TOO_MANY)

    def connection_lost(self, exc: Exception | None) -> None:
        self.connections.discard(self)
        self._gone()

    def eof_received(self) -> None:
        self._gone()

    def _gone(self) -> None:
        """The client has left: what runs for it is ended at once (gateway.md C2)."""
        lane, x = self.lane, self.x
        self.lane = self.x = None
        self.lingering = True
        self._await()
        if lane is not None:
            lane.on_client_gone()
        if x is not None:
            if not x.tunnel:
                x.stage = x.stage or b"client"
                x.status = x.status or 499
            self.gateway.finish(x)

    def shutdown(self) -> None:
        """Called by uvicorn at the end: finishes the exchange in flight, and takes no other."""
        self.draining = True
        if self.lane is None and not self.lingering:
            self.out.now()
            self.transport.close()

    def close_tunnel(self, code: int) -> None:
        """Ends a WebSocket from our side, at the next frame boundary (RFC 6455 §7.4.1: 1001 = going away)."""
        if self.frames is not None and self.frames.at_boundary:
            self.out.put(close_frame(code))
            self.out.now()
        if self.frames is not None:
            self._gone()
            self.transport.close()

    def sweep(self, now: float) -> None:
        """Called a few times a second: ends what waits too long."""
        if self.frames is not None and not self.lingering:
            self._keep_tunnel(now)
        elif self.deadline >= now:
            return
        elif self.full or (self.lingering and self.transport.get_write_buffer_size()):
            self._stalled(now)
        elif self.lingering:
            self.transport.abort()
        elif self.transport.is_closing():
            return
        elif self.lane is not None:
            self._bad_body(408, "The request body did not arrive in time.")
        elif self.buffer:
            self._refuse(Reply(408, "http_request_error", "The request header did not arrive in time.", close=True))
        else:
            self._close()

    def _keep_tunnel(self, now: float) -> None:
        """Pings an idle WebSocket between two frames (RFC 6455 §5.5.2); one that never answers is dead."""
        if self.full and self.deadline < now:
            self._stalled(now)
        elif self.deadline < now and self.frames is not None and self.frames.at_boundary:
            if self.pinged:
                self._gone()
                self.transport.abort()
                return
            self.out.put(PING)
            self.out.soon()
            self.pinged = True
            self.deadline = now + self.ping_s

    def _heard(self) -> None:
        self.pinged = False
        self.deadline = self.gateway.now() + self.ping_s

    def _stalled(self, now: float) -> None:
        """Waits on while the client takes some of what is for it; ends one that has not for long."""
        unsent = self.transport.get_write_buffer_size()
        if unsent != self.unsent:
            self.unsent, self.stalls = unsent, now + _STALL_S
        if self.stalls < now:
            self.transport.abort()
        else:
            self.deadline = now + _LOOK_S

    # Reading.

    def data_received(self, data: bytes) -> None:
        if self.lingering:
            return
        if self.lane is None:
            last = self.last
            if last is not None and data == last.received and not self.buffer and not self.full:
                # The very bytes of the request before it: there is nothing to be read.
                self._start(last)
                return
            self.buffer = self.buffer + data if self.buffer else data
            self._next()
        elif self.framing == _TUNNEL:
            self._heard()
            self.lane.on_request_body(data)
            return
        elif not self.body_done:
            self._feed(data)
            return
        else:
            self.buffer += data
        if len(self.buffer) > _MAX_PIPELINED:
            self._pause(_PIPELINE)

    def _next(self) -> None:
        """Takes requests from the buffer until one has to wait: for its answer, or for the client to read (C7)."""
        if self.parsing:
            return
        self.parsing = True
        try:
            while self.lane is None and self.buffer and not self.lingering and not self.full:
                if not self._take_request():
                    break
        finally:
            self.parsing = False

    def _take_request(self) -> bool:
        settings = self.gateway.settings
        buffer = self.buffer
        end = buffer.find(b"\r\n\r\n", 1) + 4
        try:
            if end == 3:
                if len(buffer) < self.checked:
                    return False
                self.checked = len(buffer) + (_CHECK_STEP if len(buffer) > _CHECK_STEP else 0)
                incomplete_request(buffer, settings.max_request_line, settings.max_header)
                self.deadline = min(self.deadline, self.gateway.now() + settings.header_timeout_s)
                return False
            request = parse_request(
                buffer[:end], settings.max_request_line, settings.max_header, settings.max_fields, self.last
            )
        except BadRequest as exc:
            self._refuse(Reply(exc.status, "http_request_error", exc.message, close=True))
            return False
        self.buffer = buffer[end:]
        self.last = request if request.section else None
        self.checked = 0
        self._start(request)
        return True

    def _start(self, request: RequestHead) -> None:
        gateway = self.gateway
        self.x = x = gateway.exchange(request, self.peer, self.scheme)
        self.keep = request.keep_alive and not self.draining
        if request.length == 0:
            self.body_done, self.decoder, self.deadline = True, None, inf
        else:
            self._expect_body(request.length)
        try:
            outcome: Outcome = run(gateway, x)
            if outcome is None and x.publish is None and gateway.fast:
                self.lane = Relay(self, gateway, x)
            elif isinstance(outcome, Reply):
                self.reply(outcome)
                return
            else:
                self.lane = Cycle(self, x, outcome)
        except Exception:
            log.exception("a step failed")
            self.reply(Reply(500, "proxy_internal_error", "The gateway failed on this request.", close=True))
            return
        if not self.body_done and self.buffer:
            data, self.buffer = self.buffer, b""
            self._feed(data)

    def _expect_body(self, length: int | None) -> None:
        settings = self.gateway.settings
        self.left = length or 0
        self.decoder = ChunkedDecoder(settings.max_header) if length is None else None
        self.body_done = False
        self.received = 0
        self.deadline = self.gateway.now() + settings.body_timeout_s

    def _feed(self, data: bytes) -> None:
        """Takes body bytes in the request's framing."""
        assert self.lane is not None
        self.deadline = self.gateway.now() + self.gateway.settings.body_timeout_s
        trailers: Pairs = []
        if self.decoder is not None:
            try:
                body, rest = self.decoder.feed(data)
            except Malformed as exc:
                self._bad_body(400, f"Malformed chunked body: {exc}.")
                return
            self.body_done, trailers = self.decoder.done, self.decoder.trailers
        else:
            body, rest = (data, b"") if len(data) <= self.left else (data[: self.left], data[self.left :])
            self.left -= len(body)
            self.body_done = self.left == 0
        self.received += len(body)
        if self._too_long():
            return
        if body:
            self.lane.on_request_body(body)
        if self.body_done:
            self.deadline = inf
            self.buffer = rest
            if self.lane is not None:
                self.lane.on_request_end(trailers)

    def _too_long(self) -> bool:
        limit = self.x.route.max_body if self.x is not None and self.decoder is not None and self.x.step else None
        if limit is None or self.received <= limit:
            return False
        self._bad_body(413, f"The body is longer than {limit} bytes.")
        return True

    def _bad_body(self, status: int, message: str) -> None:
        """The body cannot be trusted: the upstream never sees a complete message (gateway.md F11)."""
        lane, self.lane = self.lane, None
        if lane is not None:
            lane.on_client_gone()
        if self.responding:
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
        """The lane cannot take more of the request body now."""
        self._pause(_UPLOAD)
        self._await()

    def resume_upload(self) -> None:
        """The lane takes body bytes again."""
        self._resume(_UPLOAD)
        self._await()

    def _await(self) -> None:
        """Sets how long what is waited for now may take."""
        settings = self.gateway.settings
        if self.full:
            self.unsent, wait_s = inf, _LOOK_S
        elif self.lingering:
            self.unsent, wait_s = inf, settings.linger_s
        elif self.frames is not None:
            wait_s = self.ping_s
        elif self.lane is None:
            wait_s = settings.header_timeout_s if self.buffer else settings.keep_alive_s
        else:
            wait_s = inf if self.body_done or self.paused else settings.body_timeout_s
        self.deadline = self.gateway.now() + wait_s

    # Writing.

    def pause_writing(self) -> None:
        self.full = True
        self._await()
        if self.lane is not None:
            self.lane.on_client_full()

    def resume_writing(self) -> None:
        self.full = False
        self._await()
        if self.lane is not None:
            self.lane.on_client_writable()
        else:
            self._go_on()

    def inform(self, head: ResponseHead) -> None:
        """A 1xx response, for clients that know them (RFC 9110 §15.2); 100 goes once, to who asked for it."""
        x = self.x
        if x is None or x.version == 10 or self.responding:
            return
        if head.status == 100:
            if not x.head.expect_continue or x.continued:
                return
            x.continued = True
        self.out.put(b"HTTP/1.1 %d %b\r\n%b\r\n" % (head.status, head.reason, interim_lines(head)))
        self.out.soon()

    def write_head(self, status: int, reason: bytes, lines: bytes, length: int | None) -> None:
        """Begins a response. `lines`: its field lines; `length`: bytes of the body, -1 or None where not known."""
        x = self.x
        assert x is not None
        x.status = status
        self.responding = True
        self.framing = _framing(x, status, length)
        if not self.body_done or self.framing == _BY_CLOSE or self.draining:
            self.keep = False
        if self.framing == _CHUNKED:
            lines += b"Transfer-Encoding: chunked\r\n"
        elif self.framing == _TUNNEL:
            lines += b"Connection: Upgrade\r\nUpgrade: websocket\r\n"
            self.frames = Frames()
            self.ping_s = x.service.websocket_ping_s or inf
            self._heard()
            self._switch()
        if not self.keep and self.framing != _TUNNEL:
            lines += b"Connection: close\r\n"
        elif x.version == 10:
            lines += b"Connection: keep-alive\r\n"
        self.out.put(b"HTTP/1.1 %d %b\r\n%b\r\n" % (status, reason, lines))

    def _switch(self) -> None:
        """What an eager client sent behind its handshake belongs to the new protocol."""
        if self.buffer and self.lane is not None:
            data, self.buffer = self.buffer, b""
            self.lane.on_request_body(data)

    def write_body(self, data: bytes) -> None:
        """A piece of the response body."""
        if self.framing == _CHUNKED:
            self.out.put(chunked.encode(data))
        elif self.framing != _NONE:
            self.out.put(data)
            if self.frames is not None:
                self.frames.feed(data)
                self.deadline = self.gateway.now() + self.ping_s

    def flush(self) -> None:
        """Head and first body bytes leave in one write, at the end of this turn."""
        self.out.soon()

    def end_response(self, trailers: Pairs) -> None:
        """The response is complete."""
        x = self.x
        assert x is not None
        if self.framing == _CHUNKED:
            self.out.put(chunked.last(trailers if x.head.te_trailers else []))
        self.out.soon()
        self._ended(x)
        if not self.keep or self.draining or self.framing == _TUNNEL:
            self._close()
            return
        if self.full:
            self._await()
            return
        self.deadline = self.gateway.now() + self.gateway.settings.keep_alive_s
        self._go_on()

    def _go_on(self) -> None:
        """The next request, which may be here already."""
        if self.paused:
            self._resume(_PIPELINE)
        if self.buffer:
            self._next()

    def _ended(self, x: Exchange) -> None:
        self.lane = self.x = None
        self.responding = False
        self.gateway.finish(x)

    def break_off(self) -> None:
        """The response cannot be completed: the client must not take it for complete (RFC 9112 §8)."""
        x = self.x
        self.out.now()
        if x is not None:
            self._ended(x)
        self.lingering = True
        self._await()
        if self.framing == _BY_CLOSE:
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
        x = self.x
        assert x is not None
        fields, body = self.gateway.own_answer(reply, x)
        if reply.close:
            self.keep = False
        self.write_head(reply.status, reason_phrase(reply.status).encode(), _lines(fields), len(body))
        if self.framing != _NONE:
            self.out.put(body)
        self.end_response([])

    def _refuse(self, reply: Reply) -> None:
        """Answers what never became a request, and reads no more of this connection (gateway.md F15)."""
        fields, body = self.gateway.own_answer(reply, None)
        lines = _lines(fields)
        phrase = reason_phrase(reply.status).encode()
        self.out.put(b"HTTP/1.1 %d %b\r\n%bConnection: close\r\n\r\n%b" % (reply.status, phrase, lines, body))
        self.gateway.stats.refused += 1
        self.body_done = False
        self._close()

    def _close(self) -> None:
        """Closes; where the client may still be sending, reads on for a moment, or a reset could eat the answer."""
        self.out.now()
        self.lingering = True
        self._await()
        self._resume(_PIPELINE | _UPLOAD)
        if (self.body_done and not self.buffer) or not self.transport.can_write_eof():
            self.transport.close()
        else:
            self.transport.write_eof()


def _lines(fields: Pairs) -> bytes:
    return b"".join([b"%b: %b\r\n" % pair for pair in fields])


def _framing(x: Exchange, status: int, length: int | None) -> int:
    if status == 101:
        return _TUNNEL
    if x.method == b"HEAD" or status in (204, 304):
        return _NONE
    if length is not None and length >= 0:
        return _DELIMITED
    return _CHUNKED if x.version == 11 else _BY_CLOSE
