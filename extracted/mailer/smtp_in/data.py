"""One message on its way in: read to CRLF.CRLF and to nothing else, bounded, checked."""

import asyncio
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Final, Self

CRLF: Final = b"\r\n"
END: Final = b"\r\n.\r\n"
LONGEST_LINE: Final = 998
"""RFC 5321 section 4.5.3.1.6, without CRLF."""
ENDLESS: Final = 2
"""Who sends more than this times the size that is taken is not listened to any longer."""


class Endless(Exception):
    """The message is far beyond the size that was advertised."""


class Room:
    """How many bytes all messages on their way in may take together."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.taken = 0


class Incoming:
    """The bytes of one message so far; what is over a limit is read, but not kept, and `refusal` is the reply."""

    def __init__(self, size: int, room: Room) -> None:
        self.refusal: str | None = None
        self._size = size
        self._room = room
        self._seen = 0
        self._kept = bytearray()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _type: type[BaseException] | None, _error: object, _traceback: TracebackType | None) -> None:
        self._drop()

    async def fill(self, reader: asyncio.StreamReader) -> None:
        """All that comes, to the end. `reader` has to begin with the CRLF of the DATA command. Raises Endless."""
        async for piece in _pieces(reader):
            self._seen += len(piece)
            if self._seen > ENDLESS * self._size + reader_limit(reader):
                raise Endless
            self._add(piece)

    def content(self) -> bytes:
        """Without the dots that were added for the way (RFC 5321 section 4.5.2); may set `refusal`."""
        content = bytes(self._kept.replace(b"\r\n.", CRLF)[len(CRLF) :])
        self.refusal = self.refusal or fault(content, self._size)
        return content

    def _add(self, piece: bytes) -> None:
        if self.refusal is not None:
            return
        if self._seen > _with_dots(self._size):
            self.refusal = too_big(self._size)
        elif self._room.taken + len(piece) > self._room.limit:
            self.refusal = "452 4.3.1 Too much mail is on its way in; try again later"
        else:
            self._room.taken += len(piece)
            self._kept += piece
            return
        self._drop()

    def _drop(self) -> None:
        self._room.taken -= len(self._kept)
        self._kept.clear()


async def _pieces(reader: asyncio.StreamReader) -> AsyncIterator[bytes]:
    """All before the end; the last one with the CRLF of its line. Raises IncompleteReadError."""
    while True:
        try:
            last = await reader.readuntil(END)
        except asyncio.LimitOverrunError as more:
            yield await reader.read(more.consumed)  # never a part of the end: asyncio keeps that back
        else:
            yield last[: -len(b".\r\n")]
            return


def reader_limit(reader: asyncio.StreamReader) -> int:
    """What a reader may hold beyond what was asked for."""
    return int(reader._limit)  # type: ignore[attr-defined]  # it has no public name


def fault(content: bytes, size: int) -> str | None:
    """The reply to a message that is not taken; None: it is."""
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


def _with_dots(size: int) -> int:
    """A message of this size as it travels, when each of its lines is one dot."""
    return size + size // 3 + len(END)


def _has_long_line(content: bytes) -> bool:
    start, window = 0, LONGEST_LINE + len(CRLF)
    while len(content) - start > LONGEST_LINE:
        end = content.rfind(b"\n", start, start + window)
        if end < 0:
            return True
        start = end + 1
    return False
