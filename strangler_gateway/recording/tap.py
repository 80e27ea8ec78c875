"""Copies one exchange for a recording while it passes, without delaying it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from strangler_gateway.exchange.taps import Fields, Tap, is_stream


@dataclass(frozen=True, slots=True)
class CapturedExchange:
    """A whole exchange, with its secrets: it must never be shown, logged or written."""

    route: str
    caller: bytes = field(repr=False)
    """The credential, which tells callers apart; empty if there is none."""
    method: str
    target: str = field(repr=False)
    fields: Fields = field(repr=False)
    body: bytes = field(repr=False)
    status: int
    answer_fields: Fields = field(repr=False)
    answer: bytes = field(repr=False)
    origin: str = ""
    """Scheme and authority as the client sees them."""


class Capture:
    """Both bodies, together up to `max_body` bytes. `on_end` is called once: is the exchange whole, or abandoned?"""

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
        if status < 200 or is_stream(fields):
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


class TeeTap:
    """Two copies of one exchange: for shadow and for the recording."""

    __slots__ = ("_copies",)

    def __init__(self, *copies: Tap) -> None:
        self._copies: Sequence[Tap] = copies

    def request_body(self, data: bytes) -> None:
        for copy in self._copies:
            copy.request_body(data)

    def request_end(self) -> None:
        for copy in self._copies:
            copy.request_end()

    def head(self, status: int, fields: Fields) -> None:
        for copy in self._copies:
            copy.head(status, fields)

    def body(self, chunk: bytes) -> None:
        for copy in self._copies:
            copy.body(chunk)

    def done(self) -> None:
        for copy in self._copies:
            copy.done()
