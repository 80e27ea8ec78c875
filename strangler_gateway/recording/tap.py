"""Keeps one whole exchange for a recording, as it passes. Never in the user's way."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from strangler_gateway.exchange.taps import Copy, Fields, is_stream


@dataclass(frozen=True, slots=True)
class CapturedExchange:
    """A whole exchange as it was: it holds secrets, so it is never shown, logged or written."""

    route: str
    caller: bytes = field(repr=False)
    """What tells one caller from another: the credential; empty where there is none."""
    method: str
    target: str = field(repr=False)
    fields: Fields = field(repr=False)
    body: bytes = field(repr=False)
    status: int
    answer_fields: Fields = field(repr=False)
    answer: bytes = field(repr=False)
    origin: str = ""
    """Scheme and authority that the client sees."""


class Capture:
    """TeeTap bodies, together up to `max_body` bytes. `on_end`, once: whether the exchange is whole, or let go."""

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
        """An answer that came before the whole request was sent belongs to a request that nobody can send again."""
        self._end(self._sent_whole)

    def abandon(self) -> None:
        """Lets go of everything; nothing happens after `done`, and the second time."""
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
    """Two copies of one exchange: shadow's and the recording's."""

    __slots__ = ("_copies",)

    def __init__(self, *copies: Copy) -> None:
        self._copies: Sequence[Copy] = copies

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
