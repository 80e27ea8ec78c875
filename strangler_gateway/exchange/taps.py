"""How an exchange is copied while it passes, for shadow and recordings."""

from collections.abc import Callable
from typing import Protocol

Fields = list[tuple[bytes, bytes]]


class Tap(Protocol):
    """Takes a copy of an exchange, piece by piece, while it is relayed. Never waits, never raises."""

    def request_body(self, data: bytes) -> None: ...
    def request_end(self) -> None: ...
    def head(self, status: int, fields: Fields) -> None: ...
    def body(self, chunk: bytes) -> None: ...
    def done(self) -> None: ...


class Capture:
    """A tap that keeps both bodies, together up to `max_body` bytes; it abandons longer exchanges and streams.

    `on_end` is called once and tells whether the exchange is whole; afterwards the bodies are dropped.
    """

    __slots__ = ("_max_body", "_on_end", "_sent_whole", "_size", "answer", "fields", "sent", "status")

    def __init__(self, max_body: int, sent_whole: bool, on_end: Callable[["Capture", bool], None]) -> None:
        self._max_body = max_body
        self._sent_whole = sent_whole
        self._on_end: Callable[[Capture, bool], None] | None = on_end
        self._size = 0
        self.sent: list[bytes] = []
        self.answer: list[bytes] = []
        self.status = 0
        self.fields: Fields = []

    def request_body(self, data: bytes) -> None:
        self._keep(self.sent, data)

    def request_end(self) -> None:
        self._sent_whole = True

    def head(self, status: int, fields: Fields) -> None:
        self.status, self.fields = status, fields
        if status < 200 or _is_stream(fields):
            self.abandon()

    def body(self, chunk: bytes) -> None:
        self._keep(self.answer, chunk)

    def done(self) -> None:
        """Not whole if the answer came before the whole request: nobody could send that request again."""
        self._end(self._sent_whole)

    def abandon(self) -> None:
        """Drops everything; does nothing after `done` or when called again."""
        self._end(False)

    def _keep(self, pieces: list[bytes], data: bytes) -> None:
        if self._on_end is None:
            return
        self._size += len(data)
        if self._size > self._max_body:
            self.abandon()
        else:
            pieces.append(bytes(data))

    def _end(self, whole: bool) -> None:
        on_end, self._on_end = self._on_end, None
        if on_end is not None:
            on_end(self, whole)
            self.sent, self.answer = [], []


def _is_stream(fields: Fields) -> bool:
    """Whether the answer is a stream of events, which has no end to wait for."""
    return any(n.lower() == b"content-type" and v.lower().startswith(b"text/event-stream") for n, v in fields)
