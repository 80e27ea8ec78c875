"""The port by which an exchange is copied as it passes, for shadow and recordings."""

from typing import Protocol

Fields = list[tuple[bytes, bytes]]


class Tap(Protocol):
    """Takes a copy of an exchange, piece by piece, while it is relayed. Never waits, never raises."""

    def request_body(self, data: bytes) -> None: ...
    def request_end(self) -> None: ...
    def head(self, status: int, fields: Fields) -> None: ...
    def body(self, chunk: bytes) -> None: ...
    def done(self) -> None: ...


def is_stream(fields: Fields) -> bool:
    """Whether the answer is a stream of events, which has no end to wait for."""
    return any(n.lower() == b"content-type" and v.lower().startswith(b"text/event-stream") for n, v in fields)
