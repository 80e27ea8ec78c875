"""Cuts request heads out of the bytes that a client sends."""

from typing import Protocol

from strangler_gateway.exchange.head_memory import HeadMemory
from strangler_gateway.http.request_head import RequestHead, incomplete_request, parse_request, repeated_request

_CHECK_STEP = 512


class HeadLimits(Protocol):
    """Bytes of a request line and of a header section; number of fields."""

    @property
    def max_request_line(self) -> int: ...
    @property
    def max_header(self) -> int: ...
    @property
    def max_fields(self) -> int: ...


class RequestReader:
    """One per connection. It remembers the last head, which clients often repeat."""

    __slots__ = ("_checked", "_max_fields", "_max_header", "_max_line", "buffer", "last", "memory")

    def __init__(self, limits: HeadLimits) -> None:
        # Copied: reading a setting is dear.
        self._max_line = limits.max_request_line
        self._max_header = limits.max_header
        self._max_fields = limits.max_fields
        self.last: RequestHead | None = None
        """The head that was taken last, where it may come again."""
        self._checked = 0
        """An incomplete head is looked at again from this length on: byte by byte it must not cost a look each."""
        self.buffer = b""
        """Bytes that belong to no request yet."""
        self.memory = HeadMemory()
        """What steps have worked out for the heads of this connection."""

    def take(self) -> RequestHead | None:
        """The next head of the buffer; None while it is incomplete. Raises BadRequest."""
        buffer, last = self.buffer, self.last
        if last is not None and buffer.endswith(last.after):
            repeated = repeated_request(buffer, self._max_line, self._max_header, last)
            if repeated is not None:
                self.buffer, self._checked, self.last = b"", 0, repeated
                return repeated
        end = buffer.find(b"\r\n\r\n", 1) + 4
        if end == 3:
            self._check_incomplete()
            return None
        head = parse_request(buffer[:end], self._max_line, self._max_header, self._max_fields, last)
        self.buffer = buffer[end:]
        self._checked = 0
        self.last = head if head.after else None
        return head

    def _check_incomplete(self) -> None:
        size = len(self.buffer)
        if size >= self._checked:
            self._checked = size + (_CHECK_STEP if size > _CHECK_STEP else 0)
            incomplete_request(self.buffer, self._max_line, self._max_header)
