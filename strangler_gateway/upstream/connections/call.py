"""One call to an upstream, and who takes what comes of it."""

from math import inf
from typing import Final, Protocol

from strangler_gateway.exchange.errors import UpstreamError
from strangler_gateway.http.fields import Pairs
from strangler_gateway.http.response_head import ResponseHead
from strangler_gateway.table.routes import Service
from strangler_gateway.upstream.time_left import telling, told_ms

_MAX_PENDING: Final = 64 * 1024
TUNNEL_END_S = 30.0
"""So long an upstream may take for what came through a tunnel before its client left."""


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


class Nobody:
    """The sink of a call that has ended: it breaks the cycle call → sink → call, which only the collector could end."""

    def on_informational(self, head: ResponseHead) -> None: ...
    def on_head(self, head: ResponseHead) -> None: ...
    def on_body(self, data: bytes) -> None: ...
    def on_end(self, trailers: Pairs) -> None: ...
    def on_error(self, error: UpstreamError) -> None: ...
    def on_full(self) -> None: ...
    def on_writable(self) -> None: ...
    def flush(self) -> None: ...


NOBODY: Final = Nobody()


class CallPool(Protocol):
    """The pool that a call belongs to, as the call sees it."""

    @property
    def service(self) -> Service: ...
    @property
    def active(self) -> "set[Call]": ...
    @property
    def logged(self) -> bytes:
        """The instance as it stands in a log line."""
        ...

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def leave(self, call: "Call") -> None:
        """The call goes elsewhere."""


class CallPlace(Protocol):
    """What counts the call as one of its service's, as the call sees it."""

    def answered(self, call: "Call", status: int, now: float) -> None:
        """The head of its answer has come; only for a call with a ticket."""

    def failed(self, call: "Call", error: UpstreamError) -> None:
        """It ended without an answer."""

    def left(self, call: "Call") -> None:
        """It has ended."""


class Carrier(Protocol):
    """The connection that carries a call, as the call sees it."""

    full: bool

    @property
    def is_tunnel(self) -> bool: ...
    def write(self, data: bytes) -> None: ...
    def pause(self) -> None:
        """Stops reading."""

    def resume(self) -> None:
        """Reads on."""

    def close(self) -> None:
        """Ends behind what is to be written yet."""

    def discard(self) -> None:
        """Ends at once."""


class Call:
    """One request towards an origin. `head` is kept as built, so that a retry sends the same bytes."""

    __slots__ = (
        "answered",
        "attempts",
        "began",
        "complete",
        "connection",
        "deadline",
        "ended",
        "entered_at",
        "head",
        "idle_s",
        "is_entered",
        "method",
        "paused",
        "pending",
        "pending_size",
        "place",
        "pool",
        "resent",
        "sink",
        "target",
        "ticket",
        "time_ms",
        "tried",
        "upgrade",
        "wrote_body",
    )

    def __init__(
        self, pool: CallPool, sink: Sink, method: bytes, target: bytes, head: bytes, complete: bool, upgrade: bytes
    ) -> None:
        self.pool = pool
        self.sink = sink
        self.method = method
        self.target = target
        self.head = head
        self.complete = complete
        """The whole request has been handed over."""
        self.upgrade = upgrade
        """The protocols that the upstream may switch to, as a list; empty for none."""
        self.connection: Carrier | None = None
        self.pending: list[bytes] | None = None
        """What of the body came before a connection."""
        self.pending_size = 0
        self.paused = False
        self.wrote_body = False
        self.answered = False
        self.ended = False
        self.place: CallPlace | None = None
        self.is_entered = False
        """It has been sent, or is about to be; else it waits."""
        self.ticket = 0
        """The breaker's, until it knows how the call ended."""
        self.entered_at = 0.0
        self.resent = False
        self.attempts = 0
        """How often it was begun; 0: once, where there is one instance alone."""
        self.tried: tuple[CallPool, ...] = ()
        """The instances that it was moved away from."""
        self.idle_s = pool.service.timeouts.idle or inf
        self.deadline = inf
        self.began = inf
        """When the request came to its service, monotonic seconds."""
        self.time_ms = 0
        """What its head told of its time at first; 0: nothing was taken off yet."""

    def write(self, data: bytes) -> None:
        """More of the body, framed as the head says."""
        self.wrote_body = True
        if self.connection is not None:
            if not self.answered:
                self.deadline = self.pool.now() + self.pool.service.timeouts.response
            self.connection.write(data)
            return
        if self.pending is None:
            self.pending = []
        self.pending.append(data)
        self.pending_size += len(data)
        if self.pending_size > _MAX_PENDING:
            self.sink.on_full()

    def pause(self) -> None:
        """Stops reading the response (the client is slow)."""
        if self.connection is not None:
            self.connection.pause()
            self.paused = True
            self.deadline = inf

    def resume(self) -> None:
        """Reads on."""
        if self.connection is not None:
            self.deadline = self.pool.now() + self.idle_s
            self.connection.resume()
            self.paused = False

    def shorten(self, now: float) -> None:
        """It has waited, or is sent again: it is told, and given, what is left of its time.

        A service that is told no time (the monolith) has the whole one each time.
        """
        told = self.time_ms or told_ms(self.head)
        if told is not None:
            waited_s, self.time_ms = now - self.began, told
            self.head = telling(self.head, int(told - waited_s * 1000))
            self.deadline -= waited_s

    def abort(self) -> None:
        """Nobody wants the answer any more: the upstream connection is ended at once.

        That of a tunnel is ended behind what the client has sent (RFC 9110 §9.3.6).
        """
        if self.ended:
            return
        self.sink = NOBODY
        if self.connection is not None and self.connection.is_tunnel:
            self.deadline = self.pool.now() + TUNNEL_END_S
            self.connection.close()
            return
        self.end()
        if self.connection is not None:
            self.connection.discard()

    def move(self, pool: CallPool) -> None:
        """Another instance has it from now on."""
        self.pool.leave(self)
        self.tried += (self.pool,)
        self.pool = pool
        pool.active.add(self)

    def end(self) -> None:
        """Releases what the call held; its sink hears nothing more."""
        self.ended = True
        self.pool.active.discard(self)
        if self.place is not None:
            self.place.left(self)

    def fail(self, error: UpstreamError) -> None:
        """Ends the call with an error."""
        if not self.ended:
            if self.ticket and self.place is not None:
                self.place.failed(self, error)
            self.end()
            if self.connection is not None:
                self.connection.discard()
            sink, self.sink = self.sink, NOBODY
            sink.on_error(error)
            sink.flush()

    def refuse(self, why: str, retry_after_s: int = 5) -> None:
        """It is not sent at all."""
        message = f"The upstream {self.pool.service.name} {why}."
        self.fail(UpstreamError("destination_unavailable", message, "connect", retry_after_s))

    @property
    def sent(self) -> bytes:
        """The instance that had it last, and how often it was sent, as in a log line; empty: nothing special."""
        if self.attempts < 2:
            return self.pool.logged if self.attempts else b""
        return b'%b,"attempts":%d' % (self.pool.logged, self.attempts)

    def expire(self) -> None:
        """Its deadline has passed on a connection."""
        name = self.pool.service.name
        if self._waits_for_the_client():
            self.deadline = self.pool.now() + self.pool.service.timeouts.response
        elif not self.answered:
            message = f"The upstream {name} did not answer in time."
            self.fail(UpstreamError("http_response_timeout", message, "response"))
        else:
            self.fail(
                UpstreamError(
                    "connection_read_timeout", f"The upstream {name} stopped in the middle of its answer.", "body"
                )
            )

    def _waits_for_the_client(self) -> bool:
        """It pauses within its body, and the upstream has taken what there is: the body has a time-out of its own."""
        is_within_body = self.wrote_body and not self.complete and not self.answered
        return is_within_body and self.connection is not None and not self.connection.full
