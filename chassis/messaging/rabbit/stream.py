"""How a connection is read and written beneath the library: a consumer gets the properties of a message as bytes, a
publisher sends what is published at once as one packet.

The library ends a connection over properties that it cannot read (a text that is no UTF-8, a date that is none), and
does so each time that they are delivered: nothing behind them in the queue would ever come.
"""

import asyncio
import struct
from abc import abstractmethod
from collections.abc import Callable, Mapping
from typing import Any

import aio_pika
from aiormq.connection import TCPTransportFactory, TLSTransportFactory, TransportFactory
from yarl import URL

_AS_BYTES = "properties"
_CONTENT_HEADER = 2
_FRAME = struct.Struct(">BHI")  # kind, channel, length of what follows but its last byte
_LENGTH = struct.Struct(">I")
_FIXED = 12  # class, weight, size of the body: before the properties
_HEADERS_ALONE = b"\x20\x00"
_FIELD = bytes([len(_AS_BYTES)]) + _AS_BYTES.encode() + b"x"  # its name, and that bytes follow


Ends = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class _Connection(aio_pika.Connection):
    """On streams of ours around the library's."""

    def __init__(self, url: URL, *args: Any, **more: Any) -> None:  # as the library passes them on
        super().__init__(url, *args, **more)
        opened = TLSTransportFactory() if self.url.scheme == "amqps" else TCPTransportFactory()
        self.kwargs["transport_factory"] = _Around(opened, self.around)

    @staticmethod
    @abstractmethod
    def around(ends: Ends) -> Ends:
        """What the library gets in place of these."""


class ConsumingConnection(_Connection):
    """All that a message has beside its body is one header field of bytes."""

    @staticmethod
    def around(ends: Ends) -> Ends:
        """Reads for the library."""
        return _Reader(ends[0]), ends[1]


class PublishingConnection(_Connection):
    """What is published at the same moment leaves as one packet: each costs both sides more than what is in it."""

    @staticmethod
    def around(ends: Ends) -> Ends:
        """Writes for the library."""
        return ends[0], _Gathering(ends[1], ends[0])


def wrapped_in(headers: Mapping[str, object]) -> bytes | None:
    """The properties, as they came; None: these are headers that the library has read."""
    found = headers.get(_AS_BYTES)
    return bytes(found) if isinstance(found, bytearray) and len(headers) == 1 else None


class _Around(TransportFactory):
    def __init__(self, opened: TransportFactory, around: Callable[[Ends], Ends]) -> None:
        self._opened, self._around = opened, around

    async def create(self, url: URL, **more: Any) -> Ends:
        return self._around(await self._opened.create(url, **more))


class _Gathering(asyncio.StreamWriter):
    """Passes on what was written in one turn of the event loop at its end."""

    def __init__(self, inner: asyncio.StreamWriter, reader: asyncio.StreamReader) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(inner.transport, inner.transport.get_protocol(), reader, loop)
        self._inner = inner  # closes the transport when it is forgotten
        self._call_soon = loop.call_soon
        self._kept: list[bytes] = []

    def write(self, data: Any) -> None:
        if not self._kept:
            self._call_soon(self._pass_on)
        self._kept.append(data)

    def close(self) -> None:
        self._pass_on()
        super().close()

    def _pass_on(self) -> None:
        kept, self._kept = self._kept, []
        if kept and not self.is_closing():  # the connection may be lost meanwhile
            super().write(b"".join(kept))


class _Reader(asyncio.StreamReader):
    """Has what the library asks for: it reads frame by frame, each in pieces."""

    def __init__(self, inner: asyncio.StreamReader) -> None:
        super().__init__()
        self._inner = inner
        self._frame, self._at = b"", 0

    def at_eof(self) -> bool:
        return self._at >= len(self._frame) and self._inner.at_eof()

    async def readexactly(self, n: int) -> bytes:
        if self._at >= len(self._frame):
            self._frame, self._at = await self._next(), 0
        begin, self._at = self._at, self._at + n
        return self._frame[begin : self._at]

    async def _next(self) -> bytes:
        head = await self._inner.readexactly(_FRAME.size)
        if head.startswith(b"AMQP"):  # the broker speaks another version; the library says so
            return head
        kind, _channel, length = _FRAME.unpack(head)
        frame = head + await self._inner.readexactly(length + 1)
        return _wrapped(frame) if kind == _CONTENT_HEADER else frame


def _wrapped(frame: bytes) -> bytes:
    kind, channel, _length = _FRAME.unpack_from(frame)
    content, end = frame[_FRAME.size : -1], frame[-1:]
    field = _FIELD + _LENGTH.pack(len(content) - _FIXED) + content[_FIXED:]
    wrapped = content[:_FIXED] + _HEADERS_ALONE + _LENGTH.pack(len(field)) + field
    return _FRAME.pack(kind, channel, len(wrapped)) + wrapped + end
