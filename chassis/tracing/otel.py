"""Spans by OpenTelemetry, exported by OTLP over HTTP (an extra). Its own variables tell where and how (OTEL_*).

https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables
"""

import threading
from collections.abc import Mapping
from typing import Final

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.sdk.trace.sampling import ALWAYS_ON
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from chassis.tracing.port import Attributes, Kind

_KINDS: Final[Mapping[Kind, SpanKind]] = {
    "server": SpanKind.SERVER,
    "client": SpanKind.CLIENT,
    "consumer": SpanKind.CONSUMER,
    "internal": SpanKind.INTERNAL,
}
_CLOSE_S: Final = 3.0
_FAILED: Final = Status(StatusCode.ERROR)
_PROPAGATOR: Final = TraceContextTextMapPropagator()


class OtelSpan:
    """Implements Span."""

    __slots__ = ("_span", "_tracer", "traceparent")

    def __init__(self, tracer: Tracer, span: Span) -> None:
        self._tracer, self._span = tracer, span
        named = span.get_span_context()
        self.traceparent = f"00-{named.trace_id:032x}-{named.span_id:016x}-{named.trace_flags:02x}"

    def child(self, name: str, kind: Kind) -> "OtelSpan":
        return _begun(self._tracer, name, kind, set_span_in_context(self._span, Context()))

    def end(self, attributes: Attributes, *, failed: bool = False, name: str = "") -> None:
        if name:
            self._span.update_name(name)
        self._span.set_attributes(attributes)
        if failed:
            self._span.set_status(_FAILED)
        self._span.end()


class OtelTracer:
    """Implements Tracer. `sampled`: every span is exported; else OTEL_TRACES_SAMPLER decides."""

    def __init__(self, service: str, *, sampled: bool = False) -> None:
        resource = Resource.create({SERVICE_NAME: service})
        self._provider = TracerProvider(
            sampler=ALWAYS_ON if sampled else None, resource=resource, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("strangler")

    def start(self, name: str, kind: Kind, parent: str | None) -> OtelSpan:
        context = _PROPAGATOR.extract({"traceparent": parent}, Context()) if parent else Context()
        return _begun(self._tracer, name, kind, context)

    def close(self) -> None:
        ending = threading.Thread(target=self._provider.shutdown, name="traces", daemon=True)
        ending.start()  # by itself it tries again for half a minute while the collector is away
        ending.join(_CLOSE_S)


def _begun(tracer: Tracer, name: str, kind: Kind, context: Context) -> OtelSpan:
    return OtelSpan(tracer, tracer.start_span(name, context, _KINDS[kind]))
