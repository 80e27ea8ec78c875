"""Keeps a copy of the answer that goes to a user, as far as it may be kept. Never in that answer's way."""

from collections.abc import Callable

from strangler_gateway.exchange.taps import Fields, is_stream


class ShadowTap:
    """head, body …, done: `on_whole`, which takes it. What ends otherwise, or is too long, is let go (`on_left`)."""

    __slots__ = ("_chunks", "_complete", "_max_body", "_on_left", "_on_whole", "_size", "_taken", "fields", "status")

    def __init__(self, max_body: int, on_left: Callable[[], None], on_whole: Callable[["ShadowTap"], None]) -> None:
        self._max_body = max_body
        self._on_left: Callable[[], None] | None = on_left
        self._on_whole: Callable[[ShadowTap], None] | None = on_whole
        self._chunks: list[bytes] = []
        self._size = 0
        self._complete = self._taken = False
        self.status = 0
        self.fields: Fields = []

    def request_body(self, data: bytes) -> None:
        """Only requests without a body are compared."""

    def request_end(self) -> None:
        """Nothing was sent."""

    def head(self, status: int, fields: Fields) -> None:
        """Status and fields as they go to the client; a stream of events has no end to wait for."""
        self.status = status
        self.fields = fields
        if status < 200 or is_stream(fields):
            self.abandon()

    def body(self, chunk: bytes) -> None:
        """The next piece of the body."""
        if self._on_left is None:
            return
        self._size += len(chunk)
        if self._size > self._max_body:
            self.abandon()
        else:
            self._chunks.append(bytes(chunk))

    def done(self) -> None:
        """The answer was whole."""
        self._complete = self._on_left is not None
        on_whole, self._on_whole = self._on_whole, None
        if on_whole is not None:
            on_whole(self)

    def take(self) -> bool:
        """Whether there is a whole answer to compare; from now on the taker owns the place."""
        self._taken = self._complete and not self._taken
        if not self._taken:
            self.abandon()
        return self._taken

    def abandon(self) -> None:
        """Lets go of everything; nothing happens after `take`, and the second time."""
        if self._on_left is not None and not self._taken:
            on_left, self._on_left = self._on_left, None
            self._on_whole = None
            self._chunks.clear()
            on_left()

    def content(self) -> bytes:
        """The whole body, as it was sent."""
        return b"".join(self._chunks)
