"""HTTP/1.1 messages as bytes: written as a test says, read to the letter of RFC 9112."""

import re
from dataclasses import dataclass, field

from tests.http.stream import Stream

HOST = b"Host: shop.example"
_FIELD = re.compile(
    rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*(|[!-~\x80-\xff]|[!-~\x80-\xff][ \t!-~\x80-\xff]*[!-~\x80-\xff])[ \t]*"
)
_STATUS = re.compile(rb"HTTP/1\.1 ([1-9][0-9][0-9]) ([\t -~\x80-\xff]*)")
_CHUNK = re.compile(rb"([0-9A-Fa-f]{1,16})")
Fields = list[tuple[bytes, bytes]]


class Malformed(AssertionError):
    """What the gateway sent is not what RFC 9112 allows."""


def message(start: bytes, *lines: bytes, body: bytes = b"") -> bytes:
    """A message with exactly these lines."""
    return b"\r\n".join((start, *lines, b"", b"")) + body


def get(target: bytes = b"/", *lines: bytes) -> bytes:
    """A GET with Host."""
    return message(b"GET " + target + b" HTTP/1.1", HOST, *lines)


def post(target: bytes = b"/", *lines: bytes, body: bytes = b"hello") -> bytes:
    """A POST with Host and a counted body."""
    return message(b"POST " + target + b" HTTP/1.1", HOST, b"Content-Length: %d" % len(body), *lines, body=body)


def post_chunked(*chunks: bytes, lines: tuple[bytes, ...] = (), trailers: tuple[bytes, ...] = ()) -> bytes:
    """A POST with Host and a chunked body."""
    head = message(b"POST / HTTP/1.1", HOST, b"Transfer-Encoding: chunked", *lines)
    return head + chunked(*chunks, trailers=trailers)


def ok(*lines: bytes, body: bytes = b"ok", status: bytes = b"200 OK") -> bytes:
    """A response with a counted body."""
    return message(b"HTTP/1.1 " + status, b"Content-Length: %d" % len(body), *lines, body=body)


def ok_chunked(*chunks: bytes, lines: tuple[bytes, ...] = (), trailers: tuple[bytes, ...] = ()) -> bytes:
    """A response with a chunked body."""
    return message(b"HTTP/1.1 200 OK", b"Transfer-Encoding: chunked", *lines) + chunked(*chunks, trailers=trailers)


def chunk(data: bytes) -> bytes:
    """One chunk."""
    return b"%x\r\n%s\r\n" % (len(data), data)


def chunked(*chunks: bytes, trailers: tuple[bytes, ...] = ()) -> bytes:
    """A whole chunked body."""
    return b"".join(map(chunk, chunks)) + b"0\r\n" + b"".join(line + b"\r\n" for line in trailers) + b"\r\n"


@dataclass
class Head:
    """A start line and its fields in order."""

    start: bytes
    fields: Fields
    raw: bytes = b""

    def all(self, name: bytes) -> list[bytes]:
        """The values of a field, line by line."""
        return [value for key, value in self.fields if key.lower() == name.lower()]

    def get(self, name: bytes) -> bytes | None:
        """The value of a field that occurs at most once."""
        values = self.all(name)
        assert len(values) <= 1, f"{name!r} occurs {len(values)} times: {self.raw!r}"
        return values[0] if values else None

    def joined(self, name: bytes) -> bytes:
        """The combined value of a list field (RFC 9110 §5.2)."""
        return b", ".join(self.all(name))

    def options(self, name: bytes = b"connection") -> set[bytes]:
        """The members of a list field, in lower case."""
        return {member.strip().lower() for member in self.joined(name).split(b",")} - {b""}


@dataclass
class Answer(Head):
    """A final response, as a client got it, with the interim ones before it."""

    status: int = 0
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    interim: list[Head] = field(default_factory=list)

    @property
    def error(self) -> bytes | None:
        """The word of RFC 9209 that marks the gateway's own answers; None for the upstream's."""
        found = re.search(rb"(?:^|,)\s*strangler\s*;[^,]*?\berror=([a-z_]+)", self.joined(b"proxy-status"))
        return found[1] if found else None


class Truncated(AssertionError):
    """The body ended early: right where the upstream's did, wrong elsewhere."""

    def __init__(self, head: Answer, seen: bytes) -> None:
        super().__init__(f"the body of {head.start!r} was cut after {seen[-200:]!r}")
        self.head = head
        self.seen = seen


def read_head(stream: Stream) -> Head:
    """A start line and fields, each in exact syntax. Raises Malformed, Closed."""
    return parse_head(stream.until(b"\r\n\r\n"))


def parse_head(raw: bytes) -> Head:
    """A head of exactly the grammar of RFC 9112 §2.1. Raises Malformed."""
    start, *lines = raw[:-4].split(b"\r\n")
    matches = [_FIELD.fullmatch(line) for line in lines]
    if not all(matches) or re.search(rb"[\r\n\0]", start):
        raise Malformed(f"not a head: {raw!r}")
    return Head(start, [(m[1], m[2]) for m in matches if m], raw)


def read_chunked(stream: Stream) -> tuple[bytes, Fields]:
    """A chunked body and its trailers. Raises Malformed, Closed (whose `seen` is what came of the body)."""
    body = bytearray()
    while True:
        line = stream.until(b"\r\n")[:-2]
        if not _CHUNK.fullmatch(line):
            raise Malformed(f"not a chunk size: {line!r}")
        size = int(line, 16)
        if size == 0:
            return bytes(body), _read_trailers(stream)
        body += stream.exactly(size)
        if stream.exactly(2) != b"\r\n":
            raise Malformed(f"no CRLF after a chunk: {bytes(body[-80:])!r}")


def _read_trailers(stream: Stream) -> Fields:
    raw = b"trailers\r\n"
    while not raw.endswith(b"\r\n\r\n"):
        raw += stream.until(b"\r\n")
    return parse_head(raw).fields


def parse_status(head: Head) -> int:
    """The status of a response's start line. Raises Malformed."""
    found = _STATUS.fullmatch(head.start)
    if not found:
        raise Malformed(f"not a status line: {head.start!r}")
    return int(found[1])
