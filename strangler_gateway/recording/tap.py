"""Copies one exchange for a recording while it passes, without delaying it."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from strangler_gateway.exchange.taps import Fields, Tap


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
