"""One whole exchange with a service, for code that awaits (shadow, readiness, operators)."""

import asyncio
from dataclasses import dataclass

from strangler_gateway.exchange.errors import UpstreamError
from strangler_gateway.http.fields import Pairs
from strangler_gateway.http.response_head import ResponseHead
from strangler_gateway.upstream.balancing.balancer import Balancer
from strangler_gateway.upstream.connections.call import Nobody


@dataclass(slots=True)
class FetchedResponse:
    """A whole response; `truncated` where the body was longer than asked for, `cut` where the service broke it off."""

    status: int
    fields: Pairs
    body: bytes
    truncated: bool
    cut: bool = False


class _Collector(Nobody):
    """Collects a response up to `max_body` bytes."""

    def __init__(self, max_body: int, keep_cut: bool) -> None:
        self._max_body, self._keep_cut = max_body, keep_cut
        self._head: ResponseHead | None = None
        self._body = bytearray()
        self.response: asyncio.Future[FetchedResponse] = asyncio.get_running_loop().create_future()

    def on_head(self, head: ResponseHead) -> None:
        self._head = head

    def on_body(self, data: bytes) -> None:
        self._body += data
        if len(self._body) > self._max_body:
            self._finish(truncated=True)

    def on_end(self, trailers: Pairs) -> None:
        self._finish(truncated=False)

    def on_error(self, error: UpstreamError) -> None:
        if self._keep_cut and error.stage == "body":
            self._finish(truncated=False, cut=True)
        if not self.response.done():
            self.response.set_exception(error)

    def _finish(self, truncated: bool, cut: bool = False) -> None:
        if not self.response.done() and self._head is not None:
            body, head = bytes(self._body[: self._max_body]), self._head
            self.response.set_result(FetchedResponse(head.meaning.status, head.fields, body, truncated, cut))


async def fetch(
    balancer: Balancer,
    method: bytes,
    target: bytes,
    fields: Pairs,
    *,
    timeout_s: float,
    max_body: int,
    body: bytes = b"",
    keep_cut: bool = False,
) -> FetchedResponse:
    """A request and its response; of a `body` the fields tell the length. Raises UpstreamError, TimeoutError.

    `keep_cut`: a response that breaks off in its body is no error.
    """
    lines = b"".join([b"%b: %b\r\n" % pair for pair in fields])
    head = b"%b %b%b HTTP/1.1\r\n%b\r\n%b" % (method, balancer.service.base_path, target, lines, body)
    collector = _Collector(max_body, keep_cut)
    call = balancer.send(collector, method, target, head, complete=True)
    try:
        async with asyncio.timeout(timeout_s):
            return await collector.response
    finally:
        call.abort()
