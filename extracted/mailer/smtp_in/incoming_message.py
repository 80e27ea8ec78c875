"""One message while it is received: it ends at CRLF.CRLF and nowhere else; its size is bounded, its form checked."""

from typing import Final

CRLF: Final = b"\r\n"
END: Final = b"\r\n.\r\n"
LONGEST_LINE: Final = 998
"""RFC 5321 section 4.5.3.1.6, without CRLF."""
SLACK: Final = 64 * 1024
"""A client that sends twice the maximum size and this is disconnected."""


class Endless(Exception):
    """The message is far larger than the size that EHLO offers."""


class BufferBudget:
    """The bytes that all messages together may use while they are received."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0


class IncomingMessage:
    """What has come so far. Over a limit it goes on reading, keeps nothing, and sets `refusal`, the reply."""

    def __init__(self, size: int, budget: BufferBudget) -> None:
        self.refusal: str | None = None
        self._size = size
        self._budget = budget
        self._seen = 0
        self._kept = bytearray()
        self._tail = bytearray(CRLF)  # may be a part of the end; at first the CRLF of the DATA command

    def feed(self, data: bytes | bytearray) -> bytes | None:
        """What came after the end of the message; None: the end has not come. Raises Endless."""
        self._tail += data
        end = self._tail.find(END)
        self._add(end + len(CRLF) if end >= 0 else max(0, len(self._tail) - len(END) + 1))
        return None if end < 0 else bytes(self._tail[len(END) - len(CRLF) :])

    def content(self) -> bytes:
        """Without the stuffed dots (RFC 5321 section 4.5.2); may set `refusal`."""
        content = bytes(self._kept.replace(b"\r\n.", CRLF)[len(CRLF) :])
        self.refusal = self.refusal or fault(content, self._size)
        return content

    def discard(self) -> None:
        """Frees its bytes."""
        self._budget.used -= len(self._kept)
        self._kept.clear()

    def _add(self, count: int) -> None:
        """Moves so many bytes out of the tail."""
        self._seen += count
        if self._seen > 2 * self._size + SLACK:
            raise Endless
        if self.refusal is None and self._seen > self._size + self._size // 3 + len(END):  # each line may be one dot
            self.refusal = too_big(self._size)
        if self.refusal is None and self._budget.used + count > self._budget.limit:
            self.refusal = "452 4.3.1 Too much mail is on its way in; try again later"
        if self.refusal is None:
            self._budget.used += count
            self._kept += self._tail[:count]
        else:
            self.discard()
        del self._tail[:count]


def fault(content: bytes, size: int) -> str | None:
    """The reply to a message that is refused; None: it is accepted."""
    if not content:
        return "554 5.6.0 The message is empty; send a header and a body"
    if len(content) > size:
        return too_big(size)
    if not content.count(CRLF) == content.count(b"\n") == content.count(b"\r"):
        return "554 5.6.0 The message has a bare CR or a bare LF; end each line with CR LF"
    if _has_long_line(content):
        return f"500 5.6.0 A line of the message is longer than {LONGEST_LINE} bytes (RFC 5321); fold or encode it"
    return None


def too_big(size: int) -> str:
    return f"552 5.3.4 The message is larger than {size} bytes"


def _has_long_line(content: bytes) -> bool:
    """Jumps from one line end to the last one within reach: a list of all lines would take far more memory."""
    start = 0
    while len(content) - start > LONGEST_LINE:
        start = content.rfind(b"\n", start, start + LONGEST_LINE + len(CRLF)) + 1
        if not start:
            return True
    return False
