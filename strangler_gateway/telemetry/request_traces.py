"""Which requests are traced, what an upstream is told of it, and what spans say: the route, never a path or a user."""

import re
from collections.abc import Callable
from typing import Final

from chassis import trace_context
from chassis.tracing.port import Tracer
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.request_trace import RequestTrace
from strangler_gateway.http.fields import Pairs

_LINE: Final = re.compile(rb"\r\ntraceparent[ \t]*:[^\r\n]*", re.IGNORECASE)
_SAMPLED: Final = 1
"""Of the flags (W3C Trace Context Level 1, section 3.2.2.5)."""


class RequestTraces:
    """Traces a `part` of all requests, 0 … 1, and those that a trusted proxy traces; `chance`: random, in [0, 1).

    Others cannot ask for it: a client's trace goes on under its id, and whether it is sampled is decided here.
    """

    def __init__(self, tracer: Tracer, part: float, chance: Callable[[], float]) -> None:
        self._tracer, self._part, self._chance = tracer, part, chance

    def close(self) -> None:
        """Exports what is left. Blocks for at most some seconds."""
        self._tracer.close()

    def begin(self, exchange: Exchange) -> None:
        """Sets `trace` if the request is sampled."""
        if self._chance() < self._part or (exchange.trusted and _is_sampled(_given(exchange.fields))):
            span = self._tracer.start("request", "server", _given(exchange.fields))
            exchange.trace = RequestTrace(span)

    def decided(self, exchange: Exchange, given: str) -> str:
        """What a request that is not traced passes on: a client's own traceparent without its wish to be sampled."""
        return given if exchange.trusted or not _is_sampled(given) else f"{given[:-2]}00"

    def sent(self, exchange: Exchange, head: bytes) -> bytes:
        """The head of a request to an upstream, with the traceparent that belongs to it."""
        if exchange.trace is not None:
            line = b"\r\ntraceparent: " + exchange.trace.begin_call(exchange.service.name).encode()
        else:
            given = _given(exchange.fields)
            if given is None or given == self.decided(exchange, given):
                return head
            line = b"\r\ntraceparent: " + self.decided(exchange, given).encode()
        first, _, rest = _LINE.sub(b"", head).partition(b"\r\n")
        return b"%b%b\r\n%b" % (first, line, rest)


def end(exchange: Exchange, trace: RequestTrace) -> None:
    """Tells what the log line tells."""
    route, decision = exchange.route, exchange.decision
    told: dict[str, str | int | float] = {
        "http.request.method": exchange.method[:32].decode("latin-1"),
        "http.route": route.path,
        "http.response.status_code": exchange.status,
        "strangler.request_id": exchange.request_id.decode("latin-1"),
        "strangler.route": route.id,
        "strangler.group": route.movable.name,
        "strangler.state": str(route.movable.state),
        "strangler.share": route.movable.share / 100,
        "strangler.side": str(decision.side) if decision is not None else "gateway",
        "strangler.reason": decision.reason if decision is not None else "own_reply",
    }
    if exchange.stage:
        told["error.type"] = (exchange.proxy_status or exchange.stage).decode("latin-1")
    trace.end(
        f"{told['http.request.method']} {route.path}", told, failed=exchange.status >= 500 or bool(exchange.stage)
    )


def _given(fields: Pairs) -> str | None:
    """The client's own, if it is valid."""
    return trace_context.traceparent([value for name, value in fields if name.lower() == b"traceparent"])


def _is_sampled(given: str | None) -> bool:
    return given is not None and bool(int(given[-2:], 16) & _SAMPLED)
