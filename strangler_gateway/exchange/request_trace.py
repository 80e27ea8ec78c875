"""The spans of one sampled request: its own, and that of the call to an upstream that it waits for."""

from chassis.tracing.port import Attributes, Span


class RequestTrace:
    """`span` lasts as long as the exchange."""

    __slots__ = ("_call", "span")

    def __init__(self, span: Span) -> None:
        self.span = span
        self._call: Span | None = None

    def begin_call(self, service: str) -> str:
        """A call goes out, which ends the one before; gives the traceparent that it carries."""
        if self._call is not None:
            self._call.end({}, failed=True)
        self._call = self.span.child(service, "client")
        return self._call.traceparent

    def end(self, name: str, attributes: Attributes, *, failed: bool) -> None:
        """The exchange has ended."""
        if self._call is not None:
            self._call.end({}, failed=failed)
        self.span.end(attributes, failed=failed, name=name)
