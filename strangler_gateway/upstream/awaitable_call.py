"""Upstream calls for code that awaits: the ASGI lane, shadow, whole exchanges."""

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from strangler_gateway.exchange.errors import ClientGone, UpstreamError
from strangler_gateway.http.fields import Pairs
from strangler_gateway.http.response_head import ResponseHead
from strangler_gateway.table.routes import Service
from strangler_gateway.upstream.call import Call

if TYPE_CHECKING:
    from strangler_gateway.steps.pipeline import Gateway

_MAX_QUEUED = 256 * 1024


class AsyncCall:
    """A call for code that awaits: `head`, then pieces of the body until None, then `trailers`."""

    def __init__(self, on_informational: Callable[[ResponseHead], None] | None = None) -> None:
        self.call: Call | None = None
        self.trailers: Pairs = []
        self._informational = on_informational
        self._events: deque[ResponseHead | bytes | UpstreamError | ClientGone | None] = deque()
        self._queued = 0
        self._paused = False
        self._waiter: asyncio.Future[None] | None = None
        self.writable = asyncio.Event()
        self.writable.set()

    async def head(self) -> ResponseHead:
        """The final response's head. Raises UpstreamError."""
        event = await self._next()
        assert isinstance(event, ResponseHead)
        return event

    @property
    def empty(self) -> bool:
        """Nothing has arrived that was not taken."""
        return not self._events

    @property
    def ending(self) -> bool:
        """What was taken last was the last of the body."""
        return bool(self._events) and self._events[0] is None

    async def body(self) -> bytes | None:
        """The next piece of the body, None at its end. Raises UpstreamError."""
        event = await self._next()
        assert not isinstance(event, ResponseHead)
        return event

    def close(self) -> None:
        """Ends the call if it has not ended."""
        if self.call is not None:
            self.call.abort()

    def leave(self) -> None:
        """The client has gone: ends the call, and what waits for it by ClientGone."""
        self.close()
        self._put(ClientGone())

    async def _next(self) -> ResponseHead | bytes | None:
        while not self._events:
            self._waiter = asyncio.get_running_loop().create_future()
            await self._waiter
        event = self._events.popleft()
        if isinstance(event, UpstreamError | ClientGone):
            raise event
        if isinstance(event, bytes):
            self._queued -= len(event)
            if self._paused and self._queued < _MAX_QUEUED // 2 and self.call is not None:
                self._paused = False
                self.call.resume()
        return event

    def _put(self, event: "ResponseHead | bytes | UpstreamError | ClientGone | None") -> None:
        self._events.append(event)
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def on_informational(self, head: ResponseHead) -> None:
        if self._informational is not None:
            self._informational(head)

    def on_head(self, head: ResponseHead) -> None:
        self._put(head)

    def on_body(self, data: bytes) -> None:
        self._queued += len(data)
        self._put(data)
        if self._queued > _MAX_QUEUED and not self._paused and self.call is not None:
            self._paused = True
            self.call.pause()

    def on_end(self, trailers: Pairs) -> None:
        self.trailers = trailers
        self._put(None)

    def on_error(self, error: UpstreamError) -> None:
        self.writable.set()
        self._put(error)

    def on_full(self) -> None:
        self.writable.clear()

    def on_writable(self) -> None:
        self.writable.set()

    def flush(self) -> None:
        """Nothing is held back."""


@dataclass(slots=True)
class Answer:
    """A whole response; `truncated` where the body was longer than asked for."""

    status: int
    fields: Pairs
    body: bytes
    truncated: bool


async def fetch(
    gateway: "Gateway",
    service: Service,
    method: bytes,
    target: bytes,
    fields: Pairs,
    *,
    body: bytes = b"",
    timeout_s: float,
    max_body: int,
) -> Answer:
    """One whole exchange with a service, for shadow and the like. Raises UpstreamError, TimeoutError."""
    lines = [b"%b: %b\r\n" % pair for pair in fields]
    if body:
        lines.append(b"Content-Length: %d\r\n" % len(body))
    head = b"%b %b%b HTTP/1.1\r\n%b\r\n" % (method, service.base_path, target, b"".join(lines))
    sink = AsyncCall()
    sink.call = gateway.upstreams.pool(service).send(sink, method, target, head + body, complete=True)
    try:
        async with asyncio.timeout(timeout_s):
            response = await sink.head()
            pieces, size = [], 0
            while (piece := await sink.body()) is not None:
                size += len(piece)
                pieces.append(piece)
                if size > max_body:
                    return Answer(response.status, response.fields, b"".join(pieces)[:max_body], True)
            return Answer(response.status, response.fields, b"".join(pieces), False)
    finally:
        sink.close()
