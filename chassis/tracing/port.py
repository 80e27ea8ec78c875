"""What traces: a port, so that nothing of OpenTelemetry is imported where nothing is traced."""

from collections.abc import Mapping
from typing import Literal, Protocol

Kind = Literal["server", "client", "consumer", "internal"]
Attributes = Mapping[str, str | int | float | bool]


class Span(Protocol):
    """Something that takes time. `end` it once."""

    @property
    def traceparent(self) -> str:
        """What is passed on, so that others become its children (W3C Trace Context, section 3.2)."""
        ...

    def child(self, name: str, kind: Kind) -> "Span":
        """Begins now."""
        ...

    def end(self, attributes: Attributes, *, failed: bool = False, name: str = "") -> None:
        """`name`: a better one, which was not known at its begin."""
        ...


class Tracer(Protocol):
    """Makes spans, and exports them in a thread of its own; while the collector is away it drops them."""

    def start(self, name: str, kind: Kind, parent: str | None) -> Span:
        """`parent`: a valid traceparent; None begins a trace."""
        ...

    def close(self) -> None:
        """Exports what is left, for at most some seconds. Blocks."""
        ...
