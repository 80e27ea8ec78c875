"""Messages between the processes of one gateway: a length of four bytes, then that many bytes of a JSON object.

Only a parent's message may hold pickled values: a worker reads what clients send, so the parent never unpickles.
"""

import asyncio
import base64
import contextlib
import io
import json
import pickle
import socket
from dataclasses import fields, is_dataclass
from typing import Any, Final

MAX_FRAME: Final = 64 << 20
CLOGGED: Final = 1 << 20
"""Bytes that wait to be read; the other side is busy or hangs."""
_LENGTH: Final = 4

Message = dict[str, Any]


class ChannelLost(Exception):
    """The other process has ended, or what it sends cannot be read."""


class Channel:
    """One end. `send` never waits; messages arrive whole and in their order."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer

    def send(self, kind: str, **content: object) -> None:
        """Does nothing once the other side has gone. Raises ValueError for more than MAX_FRAME bytes."""
        body = json.dumps({"is": kind, **content}, separators=(",", ":")).encode()
        if len(body) > MAX_FRAME:
            raise ValueError(f"a message `{kind}` of {len(body)} bytes is too long")
        if not self._writer.is_closing():
            self._writer.write(len(body).to_bytes(_LENGTH, "big") + body)

    async def receive(self) -> Message:
        """The next message; `is` names its kind. Raises ChannelLost."""
        try:
            length = int.from_bytes(await self._reader.readexactly(_LENGTH), "big")
            if length > MAX_FRAME:
                raise ChannelLost(f"a message of {length} bytes is too long")
            message = json.loads(await self._reader.readexactly(length))
        except (OSError, EOFError, ValueError, RecursionError) as exc:
            raise ChannelLost(str(exc)) from exc
        if not isinstance(message, dict) or not isinstance(message.get("is"), str):
            raise ChannelLost("a message has no kind")
        return message

    @property
    def clogged(self) -> bool:
        """Whether much of what was sent has not been read yet."""
        return self._writer.transport.get_write_buffer_size() > CLOGGED

    async def room(self) -> None:
        """Returns once the other side has read most of what was sent, or has gone."""
        with contextlib.suppress(OSError):
            await self._writer.drain()

    async def flush(self) -> None:
        """Returns once the system has all that was sent, or the other side has gone."""
        transport = self._writer.transport
        transport.set_write_buffer_limits(0)
        await self.room()

    def close(self) -> None:
        """Ends this side at once."""
        self._writer.transport.abort()


async def open_channel(connected: socket.socket) -> Channel:
    """Takes over a connected socket of any stream family."""
    reader, writer = await asyncio.open_unix_connection(sock=connected, limit=MAX_FRAME)
    writer.transport.set_write_buffer_limits(CLOGGED)
    return Channel(reader, writer)


class _Pickler(pickle.Pickler):
    """Makes values of routes.yaml anew by their constructors: compiled, frozen ones cannot be filled otherwise."""

    def reducer_override(self, value: object) -> Any:
        if not is_dataclass(value) or isinstance(value, type):
            return NotImplemented
        return type(value), tuple(getattr(value, part.name) for part in fields(value) if part.init)


def packed(value: object) -> str:
    """Any value of the parent's, for a worker."""
    out = io.BytesIO()
    _Pickler(out, pickle.HIGHEST_PROTOCOL).dump(value)
    return base64.b64encode(out.getvalue()).decode()


def unpacked(text: str) -> Any:
    """What the parent has packed."""
    return pickle.loads(base64.b64decode(text))  # noqa: S301  # from the parent alone
