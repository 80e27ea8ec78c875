"""Which requests are traced, and what upstreams and the collector are told of them."""

from dataclasses import dataclass, field

import pytest

from chassis.tracing.port import Attributes, Kind
from strangler_gateway.exchange.decision import Decision
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.table.routes import Side
from strangler_gateway.telemetry import request_traces
from strangler_gateway.telemetry.request_traces import RequestTraces
from tests.support.gateway.exchanges import SHOP, exchange, gateway_for, route

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED, UNSAMPLED = f"00-{TRACE}-00f067aa0ba902b7-01", f"00-{TRACE}-00f067aa0ba902b7-00"
HEAD = b"GET /a HTTP/1.1\r\nHost: h\r\nTraceParent: %b\r\ntraceparent2: stays\r\n\r\n"


@dataclass
class ToldSpan:
    name: str
    parent: str | None
    spans: "list[ToldSpan]"
    told: dict[str, object] = field(default_factory=dict)
    failed: bool | None = None

    @property
    def traceparent(self) -> str:
        trace = self.parent[3:35] if self.parent else "1" * 32
        return f"00-{trace}-{self.spans.index(self) + 1:016x}-01"

    def child(self, name: str, kind: Kind) -> "ToldSpan":
        return begun(self.spans, name, self.traceparent)

    def end(self, attributes: Attributes, *, failed: bool = False, name: str = "") -> None:
        assert self.failed is None, "ended twice"
        self.told, self.failed, self.name = dict(attributes), failed, name or self.name


@dataclass
class ToldTracer:
    spans: list[ToldSpan] = field(default_factory=list)

    def start(self, name: str, kind: Kind, parent: str | None) -> ToldSpan:
        return begun(self.spans, name, parent)

    def close(self) -> None:
        """Holds nothing."""


def begun(spans: list[ToldSpan], name: str, parent: str | None) -> ToldSpan:
    spans.append(ToldSpan(name, parent, spans))
    return spans[-1]


def asked(given: str | None = None, *, trusted: bool = False) -> Exchange:
    x = exchange(gateway_for(route()), {"traceparent": given} if given else {})
    x.trusted, x.service = trusted, SHOP
    return x


@pytest.mark.parametrize(
    ("drawn", "given", "trusted", "is_traced"),
    [
        (0.09, None, False, True),
        (0.1, None, False, False),
        (0.09, UNSAMPLED, False, True),
        (0.1, SAMPLED, False, False),
        (0.1, SAMPLED, True, True),
        (0.1, UNSAMPLED, True, False),
        (0.1, "00-zz-01", True, False),
    ],
)
def test_a_part_is_traced_and_what_a_trusted_proxy_traces(
    drawn: float, given: str | None, trusted: bool, is_traced: bool
) -> None:
    x = asked(given, trusted=trusted)
    RequestTraces(ToldTracer(), 0.1, lambda: drawn).begin(x)
    assert (x.trace is not None) is is_traced


def test_a_traced_request_goes_on_under_the_clients_trace_with_one_field() -> None:
    tracer, x = ToldTracer(), asked(SAMPLED)
    traces = RequestTraces(tracer, 1.0, lambda: 0.5)
    traces.begin(x)
    sent = traces.sent(x, HEAD % SAMPLED.encode())
    assert sent == f"GET /a HTTP/1.1\r\ntraceparent: 00-{TRACE}-{2:016x}-01\r\nHost: h\r\n".encode() + (
        b"traceparent2: stays\r\n\r\n"
    )
    assert [span.parent for span in tracer.spans] == [SAMPLED, f"00-{TRACE}-{1:016x}-01"]


def test_a_client_cannot_have_services_sample_its_request() -> None:
    traces = RequestTraces(ToldTracer(), 0.0, lambda: 0.5)
    head = HEAD % SAMPLED.encode()
    assert b"traceparent: " + UNSAMPLED.encode() in traces.sent(asked(SAMPLED), head)
    assert traces.sent(asked(SAMPLED, trusted=True), head) == head
    assert traces.sent(asked(UNSAMPLED), HEAD % UNSAMPLED.encode()) == HEAD % UNSAMPLED.encode()
    assert traces.sent(asked(), b"GET / HTTP/1.1\r\n\r\n") == b"GET / HTTP/1.1\r\n\r\n"


def test_a_span_tells_the_decision_and_nobodys_data() -> None:
    tracer, x = ToldTracer(), asked()
    traces = RequestTraces(tracer, 1.0, lambda: 0.0)
    traces.begin(x)
    traces.sent(x, b"GET / HTTP/1.1\r\n\r\n")
    traces.sent(x, b"GET / HTTP/1.1\r\n\r\n")  # it failed over
    x.decision, x.status, x.request_id = Decision(Side.EXTRACTED, "share"), 503, b"id-1"
    assert x.trace is not None
    request_traces.end(x, x.trace)
    request, first, second = tracer.spans
    assert request.name == f"GET {x.route.path}"
    assert request.told["strangler.side"] == "extracted"
    assert request.told["strangler.reason"] == "share"
    assert request.told["http.response.status_code"] == 503
    assert not {"url.path", "url.full", "enduser.id"} & request.told.keys()
    assert (request.failed, first.failed, second.failed) == (True, True, True)
