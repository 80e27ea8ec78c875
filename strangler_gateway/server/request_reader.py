"""Cuts request heads out of the bytes that a client sends."""

from typing import Protocol

from strangler_gateway.exchange.head_memory import HeadMemory
from strangler_gateway.http.request_head import RequestHead, incomplete_request, parse_request

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
    """One per connection. It remembers the last head, which clients often repeat, and what was worked out for it."""

    __slots__ = ("_checked", "_limits", "buffer", "last", "memory")

    def __init__(self, limits: HeadLimits) -> None:
        self._limits = limits
        self.last: RequestHead | None = None
        """The head that was taken last, where it may come again."""
        self._checked = 0
        """An incomplete head is looked at again from this length on: byte by byte it must not cost a look each."""
        self.buffer = b""
        """Bytes that belong to no request yet."""
        self.memory = HeadMemory()
        """Of the head that was taken last."""

    def take(self) -> RequestHead | None:
        """The next head of the buffer; None while it is incomplete. Raises BadRequest."""
        buffer, limits, last = self.buffer, self._limits, self.last
        end = buffer.find(b"\r\n\r\n", 1) + 4
        if end == 3:
            self._check_incomplete()
            return None
        head = parse_request(buffer[:end], limits.max_request_line, limits.max_header, limits.max_fields, last)
        self.buffer = buffer[end:]
        self._checked = 0
        if head is not last:
            self.memory = self._remembered(head, last)
        self.last = head if head.section else None
        return head

    def _remembered(self, head: RequestHead, last: RequestHead | None) -> HeadMemory:
        """What was worked out for the head before it and is true of this one."""
        if last is None or head.marks is not last.marks:
            return HeadMemory()
        return self.memory.for_another(same_path=head.path == last.path, same_fields=head.lines is last.lines)

    def _check_incomplete(self) -> None:
        size = len(self.buffer)
        if size >= self._checked:
            self._checked = size + (_CHECK_STEP if size > _CHECK_STEP else 0)
            incomplete_request(self.buffer, self._limits.max_request_line, self._limits.max_header)
