"""WebSocket frames as bytes (RFC 6455 §5), written and read by hand."""

import struct
from dataclasses import dataclass

from tests.http.message import HOST, message
from tests.http.stream import Stream

TEXT, BINARY, CLOSE, PING, PONG, CONTINUATION = 1, 2, 8, 9, 10, 0
KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
ACCEPT = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The answer to KEY (RFC 6455 §1.3)."""


def handshake(target: bytes = b"/ws", *lines: bytes) -> bytes:
    """A client's opening handshake."""
    return message(
        b"GET " + target + b" HTTP/1.1", HOST, b"Upgrade: websocket", b"Connection: Upgrade",
        b"Sec-WebSocket-Key: " + KEY, b"Sec-WebSocket-Version: 13", *lines,
    )  # fmt: skip


def accepted(*lines: bytes) -> bytes:
    """A server's opening handshake."""
    return message(
        b"HTTP/1.1 101 Switching Protocols", b"Upgrade: websocket", b"Connection: Upgrade",
        b"Sec-WebSocket-Accept: " + ACCEPT, *lines,
    )  # fmt: skip


@dataclass(frozen=True)
class Frame:
    """One frame; `masked` as every frame of a client has to be."""

    opcode: int
    payload: bytes = b""
    final: bool = True
    masked: bool = False

    def encode(self) -> bytes:
        first = self.opcode | (0x80 if self.final else 0)
        size = len(self.payload)
        if size < 126:
            head = bytes([first, size])
        elif size < 1 << 16:
            head = struct.pack("!BBH", first, 126, size)
        else:
            head = struct.pack("!BBQ", first, 127, size)
        if not self.masked:
            return head + self.payload
        return head[:1] + bytes([head[1] | 0x80]) + head[2:] + b"mask" + _mask(self.payload)


def close(code: int, reason: bytes = b"", masked: bool = False) -> Frame:
    """A close frame."""
    return Frame(CLOSE, struct.pack("!H", code) + reason, masked=masked)


def read_frame(stream: Stream) -> Frame:
    """The next frame, unmasked."""
    first, second = stream.exactly(2)
    size = second & 0x7F
    if size == 126:
        size = struct.unpack("!H", stream.exactly(2))[0]
    elif size == 127:
        size = struct.unpack("!Q", stream.exactly(8))[0]
    masked = bool(second & 0x80)
    if masked:
        assert stream.exactly(4) == b"mask"
    payload = stream.exactly(size)
    return Frame(first & 0x0F, _mask(payload) if masked else payload, bool(first & 0x80), masked)


def _mask(payload: bytes) -> bytes:
    mask = (b"mask" * (len(payload) // 4 + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(mask)).to_bytes(len(payload)) if payload else b""
