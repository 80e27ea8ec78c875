"""The body of a request as it arrives, in the framing that its head said (RFC 9112 §6)."""

from strangler_gateway.http.chunked import ChunkedDecoder
from strangler_gateway.http.fields import Pairs


class RequestBody:
    """One per connection, begun anew for each request."""

    __slots__ = ("_decoder", "_left", "done", "received", "trailers")

    def __init__(self) -> None:
        self._left = 0
        self._decoder: ChunkedDecoder | None = None
        self.done = True
        """Nothing more of it is to come."""
        self.received = 0
        """Bytes of content so far."""
        self.trailers: Pairs = []

    @property
    def is_chunked(self) -> bool:
        """Its length is known only at its end."""
        return self._decoder is not None

    def begin(self, length: int | None, max_trailers: int) -> None:
        """`length`: bytes, or None for chunked."""
        self._left = length or 0
        self._decoder = ChunkedDecoder(max_trailers) if length is None else None
        self.done, self.received, self.trailers = False, 0, []

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """(content, bytes behind the body). Raises Malformed."""
        if self._decoder is not None:
            content, rest = self._decoder.feed(data)
            self.done, self.trailers = self._decoder.done, self._decoder.trailers
        else:
            content, rest = (data, b"") if len(data) <= self._left else (data[: self._left], data[self._left :])
            self._left -= len(content)
            self.done = self._left == 0
        self.received += len(content)
        return content, rest
