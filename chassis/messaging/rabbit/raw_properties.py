"""Reads message properties one message at a time, so that one that cannot be read does not end the connection.

aiormq 7.2.4 decodes properties in the task that reads the connection. A text that is not UTF-8, or a date out of range,
closes the connection, and does so again at each redelivery: nothing behind that message would ever arrive.
docs/decisions/unreadable-properties.md has the report for aiormq. Delete this file when that is fixed.
"""

import asyncio
from collections.abc import Callable, Mapping
from io import BytesIO

from aiormq.abc import DeliveredMessage
from pamqp import constants, decode
from pamqp.commands import Basic

_RAW_FIELD = b"\x03rawx"  # the length of its name, its name, its kind: bytes
_HEADERS_ALONE = b"\x20\x00"  # of all properties, only the header fields follow
_FIXED = constants.FRAME_HEADER_SIZE + 12  # bytes before the properties: frame header, class, weight, size of the body
_FLAGS = 2  # bytes at the beginning of the properties: which of them follow
_SIZES: Mapping[str, Callable[[bytes], int]] = {
    "octet": lambda _raw: 1,
    "timestamp": lambda _raw: 8,
    "shortstr": lambda raw: 1 + int.from_bytes(raw[:1]),
    "table": lambda raw: 4 + int.from_bytes(raw[:4]),
}


class RawPropertiesReader(asyncio.StreamReader):
    """Hands the library each message's properties as one header field of bytes, which it can always decode."""

    def __init__(self, inner: asyncio.StreamReader) -> None:
        super().__init__()
        self._inner, self._frame = inner, BytesIO()

    def at_eof(self) -> bool:
        """Only asked between two frames."""
        return self._inner.at_eof()

    async def readexactly(self, n: int) -> bytes:
        """The library reads each frame in pieces."""
        if not (data := self._frame.read(n)):
            self._frame = BytesIO(await self._next_frame())
            data = self._frame.read(n)
        return data

    async def _next_frame(self) -> bytes:
        head = await self._inner.readexactly(constants.FRAME_HEADER_SIZE)
        if head.startswith(constants.AMQP):  # the broker speaks another version; the library reports it
            return head
        whole = head + await self._inner.readexactly(int.from_bytes(head[3:]) + 1)
        return _wrapped(whole) if whole[0] == constants.FRAME_HEADER else whole


def _wrapped(whole: bytes) -> bytes:
    raw = whole[_FIXED:-1]
    field = _RAW_FIELD + len(raw).to_bytes(4) + raw
    payload = whole[constants.FRAME_HEADER_SIZE : _FIXED] + _HEADERS_ALONE + len(field).to_bytes(4) + field
    return whole[:3] + len(payload).to_bytes(4) + payload + whole[-1:]


def raw_properties(message: DeliveredMessage) -> bytes:
    """The encoded properties, as the broker sent them."""
    raw = (message.header.properties.headers or {})["raw"]
    assert isinstance(raw, bytearray)
    return bytes(raw)


def read(raw: bytes) -> tuple[Basic.Properties, str | None]:
    """The properties, and the first error's name. Each property tells its length, so one that cannot be decoded leaves
    the others: a short text gets escapes, any other value is None."""
    properties, fault, flags, rest = Basic.Properties(), None, int.from_bytes(raw[:_FLAGS]), raw[_FLAGS:]
    for name, flag, kind in _PROPERTIES:
        if flags & flag:
            size = _SIZES[kind](rest)
            value, rest = rest[:size], rest[size:]
            try:
                setattr(properties, name, _DECODERS[kind](value))
            except Exception as error:  # of many types
                fault = fault or type(error).__name__
                setattr(properties, name, value[1:].decode(errors="backslashreplace") if kind == "shortstr" else None)
    return properties, fault


def _table(value: bytes) -> dict[str, object]:
    """As pamqp decodes a table, without its detours for a text of UTF-8, which most fields are."""
    found: dict[str, object] = {}
    at = 4
    while at < len(value):
        start = at + 1 + value[at]
        name = value[at + 1 : start].decode()
        if value[start : start + 1] == _TEXT:
            end = start + 5 + int.from_bytes(value[start + 1 : start + 5])
            found[name] = _text(value[start + 5 : end])
        else:
            size, found[name] = decode.embedded_value(value[start:])
            end = start + size
        if not start < end <= len(value):
            raise ValueError("a header field ends after the table")
        at = end
    return found


def _text(value: bytes) -> str | bytes:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value


_TEXT = b"S"
_PROPERTIES = [(name, flag, Basic.Properties.amqp_type(name)) for name, flag in Basic.Properties.flags.items()]
_DECODERS: Mapping[str, Callable[[bytes], object]] = {
    "octet": lambda value: value[0],
    "timestamp": lambda value: decode.timestamp(value)[1],
    "shortstr": lambda value: value[1:].decode(),
    "table": _table,
}
