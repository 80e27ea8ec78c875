"""The chunked transfer coding (RFC 9112 §7.1), decoded strictly and incrementally, encoded plainly."""

import re

from strangler_gateway.http.dialects import end_of_section, mended, with_crlf
from strangler_gateway.http.fields import Malformed, Pairs, parse_fields

_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_ANSWERED_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r\n")
_LENIENT_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(?:;[\t\x20-\x7e\x80-\xff]*)?\r?\n")
_MAX_LINE = 4096
_MAX_EXTENSIONS = 16 * 1024
LAST = b"0\r\n\r\n"


def encode(data: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%b\r\n" % (len(data), data)


def last(trailers: Pairs) -> bytes:
    """The last chunk with its trailer section."""
    if not trailers:
        return LAST
    return b"0\r\n%b\r\n" % b"".join([b"%b: %b\r\n" % pair for pair in trailers])


class ChunkedDecoder:
    """Feed it what arrives; `done` turns true at the end of the trailer section, and `trailers` is complete then."""

    __slots__ = ("_buffer", "_left", "_max_trailers", "_overhead", "_size_line", "_state", "done", "trailers")

    def __init__(self, max_trailers: int = 64 * 1024) -> None:
        self._buffer = b""
        self._left = 0
        self._state = 0
        self._overhead = 0
        self._max_trailers = max_trailers
        self._size_line = _SIZE
        self.done = False
        self.trailers: Pairs = []

    def feed(self, data: bytes) -> tuple[bytes, bytes]:
        """(body bytes decoded, bytes behind the end of the body). Raises Malformed."""
        if self._buffer:
            data, self._buffer = self._buffer + data, b""
        out: list[bytes] = []
        at = 0
        while not self.done:
            if self._state == 0:
                step = self._size(data, at)
            elif self._state == 1:
                step = self._data(data, at, out)
            elif self._state == 2:
                step = self._data_end(data, at)
            else:
                step = self._trailers(data, at)
            if step < 0:
                self._buffer = data[at:]
                return b"".join(out), b""
            at = step
        return b"".join(out), data[at:]

    def _size(self, data: bytes, at: int) -> int:
        end = data.find(b"\n", at, at + _MAX_LINE)
        if end < 0:
            if len(data) - at >= _MAX_LINE or not re.match(rb"[0-9A-Fa-f]*(?:[ \t]*;|[ \t]*\r?$|$)", data[at:]):
                raise Malformed("a chunk does not begin with its size")
            return -1
        line = self._size_line.fullmatch(data, at, end + 1)
        if line is None:
            raise Malformed("a chunk does not begin with its size")
        self._left = int(line[1], 16)
        self._overhead += end + 1 - at - len(line[1]) - 2
        if self._overhead > _MAX_EXTENSIONS:
            raise Malformed("the chunk extensions are too long")
        self._state = 1 if self._left else 3
        return end + 1

    def _data(self, data: bytes, at: int, out: list[bytes]) -> int:
        piece = data[at : at + self._left]
        if not piece:
            return -1
        out.append(piece)
        self._left -= len(piece)
        if self._left == 0:
            self._state = 2
        return at + len(piece)

    def _data_end(self, data: bytes, at: int) -> int:
        end = data[at : at + 2]
        if end == b"\r\n":
            self._state = 0
            return at + 2
        if not b"\r\n".startswith(end):
            raise Malformed("a chunk is not ended by CRLF")
        return -1

    def _trailers(self, data: bytes, at: int) -> int:
        if data.startswith(b"\r\n", at):
            self.done = True
            return at + 2
        end = data.find(b"\r\n\r\n", at, at + self._max_trailers)
        if end < 0:
            if len(data) - at >= self._max_trailers or re.search(rb"(?<!\r)\n", data[at:]):
                raise Malformed("the trailer section is malformed or too long")
            return -1
        self._take_trailers(data[at : end + 4])
        return end + 4

    def _take_trailers(self, section: bytes) -> None:
        self.trailers, _ = parse_fields(b"\n" + section, 1)
        self.done = True


class AnswerDecoder(ChunkedDecoder):
    """For the answers of old servers: spaces behind a size, and what `mended` puts right in trailers.

    `is_lenient`: a bare LF ends a line, too.
    """

    __slots__ = ("_is_lenient",)

    def __init__(self, max_trailers: int, is_lenient: bool) -> None:
        super().__init__(max_trailers)
        self._is_lenient = is_lenient
        self._size_line = _LENIENT_SIZE if is_lenient else _ANSWERED_SIZE

    def _data_end(self, data: bytes, at: int) -> int:
        if self._is_lenient and data.startswith(b"\n", at):
            self._state = 0
            return at + 1
        return super()._data_end(data, at)

    def _trailers(self, data: bytes, at: int) -> int:
        if not self._is_lenient:
            return super()._trailers(data, at)
        if data.startswith((b"\n", b"\r\n"), at):
            self.done = True
            return at + (1 if data.startswith(b"\n", at) else 2)
        size = end_of_section(data[at : at + self._max_trailers])
        if size < 0:
            if len(data) - at >= self._max_trailers:
                raise Malformed("the trailer section is too long")
            return -1
        self._take_trailers(with_crlf(data[at : at + size]))
        return at + size

    def _take_trailers(self, section: bytes) -> None:
        try:
            super()._take_trailers(section)
        except Malformed:
            super()._take_trailers(mended(b"\n" + section, 1)[1:])
