"""The head of an HTTP/1.1 response (RFC 9112): strict parsing, and how the body is delimited. Pure."""

import re
from typing import Final

from strangler_gateway.http.dialects import mended, with_crlf
from strangler_gateway.http.fields import (
    Kind,
    Lines,
    Malformed,
    Marks,
    Pairs,
    nominated,
    options,
    pairs_of,
    parse_fields,
    repeats,
    starts_of,
)
from strangler_gateway.http.proxy_status import ErrorType
from strangler_gateway.http.request_head import DIGITS, KEEP_ALIVE_OPTIONS, NOTHING, joined

_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: ([\t\x20-\x7e\x80-\xff]*))?\r\n")
_TIMEOUT = re.compile(rb"timeout=([0-9]{1,6})")
_EVENT_STREAM = re.compile(rb"(?i)content-type:[ \t]*text/event-stream[ \t]*(?:;|$)")
_NO_BODY = frozenset((204, 304))
_MAX_REMEMBERED: Final = 2048

# Read once for every field of every message: plain names are the fastest.
CONNECTION, LENGTH, DATE, KEEP_ALIVE = Kind.CONNECTION, Kind.LENGTH, Kind.DATE, Kind.KEEP_ALIVE
TRANSFER_ENCODING, UPGRADE = Kind.TRANSFER_ENCODING, Kind.UPGRADE
_CHANGING: Final = frozenset((DATE, LENGTH))


class BadResponse(Exception):
    """A response that cannot be passed on; `code` is a word of RFC 9209 §2.3."""

    def __init__(self, message: str, code: ErrorType = "http_protocol_error") -> None:
        super().__init__(message)
        self.code = code


class ResponseMeaning:
    """What a response says to a proxy beside its length; heads of one connection that repeat it share it.

    `version`: 10 or 11.
    """

    __slots__ = (
        "connection",
        "dated",
        "events",
        "gone",
        "is_coded",
        "keep_alive",
        "keep_alive_timeout_s",
        "length_at",
        "marks",
        "reason",
        "starts",
        "status",
        "status_line",
        "upgrade",
        "version",
    )

    def __init__(self, status: int, reason: bytes, version: int, marks: Marks, status_line: bytes = b"") -> None:
        self.status_line = status_line
        """As received, with its CRLF."""
        self.status = status
        self.reason = reason
        self.version = version
        self.marks = marks
        self.length_at = -1
        """The index of the one Content-Length that delimits the body; -1 if there is none."""
        self.is_coded = False
        """A transfer coding frames the body: what Content-Length says does not count (RFC 9112 §6.3)."""
        self.keep_alive = version == 11
        self.keep_alive_timeout_s: int | None = None
        self.upgrade = b""
        """The protocol that a 101 switches to, in lower case."""
        self.dated = False
        """There is a Date."""
        self.events = False
        """A stream of server-sent events: silent as long as it likes, no idle limit."""
        self.connection: frozenset[bytes] = NOTHING
        self.starts: list[bytes] | None = None
        """Of each line what the next head on this connection has to repeat; worked out when one comes."""
        self.gone: tuple[int, ...] | None = None
        """Lines that a client does not get, while all others go as received; the last one first."""


class ResponseHead:
    """A parsed response head. `length`: bytes of the body, -1 for chunked, None where the close delimits it.

    `received`: the whole head, where it may be that of the next response on this connection, too; else empty.
    `passed`: what `upstream/heads/back.py` has made of the lines for a client.
    """

    __slots__ = ("_fields", "length", "lines", "meaning", "passed", "received")

    def __init__(
        self,
        meaning: ResponseMeaning,
        lines: Lines,
        length: int | None = 0,
        received: bytes = b"",
        passed: bytes | None = None,
    ) -> None:
        self.meaning = meaning
        self.lines = lines
        self.length = length
        self.received = received
        self.passed = passed
        self._fields: Pairs | None = None

    @property
    def fields(self) -> Pairs:
        """Name as sent and value of each line, in the order received."""
        if self._fields is None:
            self._fields = pairs_of(self.lines)
        return self._fields


def without(lines: Lines, gone: tuple[int, ...]) -> bytes:
    """All lines but some, given by their indexes, the last one first; each with its CRLF."""
    left = lines.copy()
    for index in gone:
        del left[index]
    left.append(b"")
    return b"\r\n".join(left)


def repeated_response(received: bytes, last: ResponseHead) -> ResponseHead | None:
    """A head that says nothing new to a proxy beside its length; None where it has to be parsed.

    `received` ends with an empty line. `last`: the one before it on this connection, to another method than HEAD.
    """
    meaning = last.meaning
    at, start = meaning.length_at, meaning.status_line
    if at < 0 or not received.startswith(start) or not len(start) + 4 < len(received) <= _MAX_REMEMBERED:
        return None
    lines = received[len(start) : -4].split(b"\r\n")
    if meaning.starts is None:
        meaning.starts = starts_of(last.lines, meaning.marks, _CHANGING)
    if not repeats(lines, last.lines, meaning.starts):
        return None
    length = last.length
    if lines[at] != last.lines[at]:
        digits = lines[at].partition(b":")[2].strip()
        if not DIGITS.fullmatch(digits):
            return None
        length = int(digits)
    gone = meaning.gone
    return ResponseHead(meaning, lines, length, received, without(lines, gone) if gone is not None else None)


def parse_response(head: bytes, method: bytes, is_lenient: bool = False) -> ResponseHead:
    """`head` ends with the empty line; `method` is the request's. Raises BadResponse.

    `is_lenient`: a bare LF ends a line, too, and `Transfer-Encoding: identity` beside a length means nothing.
    """
    received = head
    if is_lenient:
        head = with_crlf(head)
    line = _STATUS_LINE.match(head)
    if line is None:
        raise BadResponse("malformed status line")
    start = line.end()
    try:
        fields, marks = parse_fields(head, start)
    except Malformed:
        head = mended(head, start)
        fields, marks = _parse_mended(head, start)
    minor, status, reason = line.groups()
    lines = head[start:-4].split(b"\r\n") if fields else []
    meaning = ResponseMeaning(int(status), reason or b"", 11 if minor == b"1" else 10, marks, line[0])
    response = ResponseHead(meaning, lines)
    response._fields = fields
    length = coding = connection = upgrade = None
    for kind, index in marks:
        value = fields[index][1]
        if kind == LENGTH:
            meaning.length_at = index if length is None else -1
            length = joined(length, value)
        elif kind == CONNECTION:
            connection = joined(connection, value)
        elif kind == DATE:
            meaning.dated = True
        elif kind == TRANSFER_ENCODING:
            coding = joined(coding, value)
        elif kind == KEEP_ALIVE:
            timeout = _TIMEOUT.search(value)
            meaning.keep_alive_timeout_s = int(timeout[1]) if timeout else None
        elif kind == UPGRADE:
            upgrade = joined(upgrade, value.strip(b" \t").lower())
            meaning.upgrade = upgrade
    if connection is not None and connection not in KEEP_ALIVE_OPTIONS:
        _response_connection(meaning, options((connection,)))
    if is_lenient and length is not None and coding is not None and coding.strip(b" \t").lower() == b"identity":
        coding, meaning.keep_alive = None, False
    _response_framing(response, method, length, coding)
    if response.length is None or response.length < 0:
        meaning.events = any(_EVENT_STREAM.match(line) for line in lines)
    if len(received) <= _MAX_REMEMBERED and method != b"HEAD" and meaning.status >= 200:
        response.received = received
    return response


def _parse_mended(head: bytes, start: int) -> tuple[Pairs, Marks]:
    try:
        return parse_fields(head, start)
    except Malformed as exc:
        raise BadResponse(str(exc)) from exc


def _response_connection(meaning: ResponseMeaning, names: list[bytes]) -> None:
    if b"close" in names:
        meaning.keep_alive = False
    if b"upgrade" not in names:
        meaning.upgrade = b""
    meaning.connection = nominated(names)


def _response_framing(response: ResponseHead, method: bytes, length: bytes | None, coding: bytes | None) -> None:
    """RFC 9112 §6.3, in its order."""
    meaning = response.meaning
    if coding is not None:
        if meaning.version == 10 or options((coding,)) != [b"chunked"]:
            raise BadResponse("a transfer coding other than chunked", "http_response_transfer_coding")
        meaning.keep_alive = meaning.keep_alive and length is None
        meaning.is_coded = True
    size = -1 if length is None else _length(length)
    if method == b"HEAD" or meaning.status in _NO_BODY or meaning.status < 200:
        meaning.length_at = -1
        return
    if coding is not None:
        response.length, meaning.length_at = -1, -1
    elif size >= 0:
        response.length = size
    else:
        response.length, meaning.keep_alive = None, False


def _length(text: bytes) -> int:
    """One decimal number, or the same one several times (RFC 9112 §6.3). Raises BadResponse."""
    if DIGITS.fullmatch(text):
        return int(text)
    values = {part.strip(b" \t") for part in text.split(b",")}
    value = values.pop() if len(values) == 1 else b""
    if not DIGITS.fullmatch(value):
        raise BadResponse("invalid Content-Length")
    return int(value)
