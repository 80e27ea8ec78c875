"""Persistent HTTP/1.1 connections to Shop, for GET only.

httpx costs 1.3 ms of CPU per call, this 0.03 ms (docs/decisions/driver-for-hot-statements.md). It reads what our
services write: a status line, fields, Content-Length. Everything else is an error.
"""

import asyncio
import re
from dataclasses import dataclass
from time import monotonic
from typing import Final
from urllib.parse import urlsplit

from chassis import deadline

AT_ONCE: Final = 50
KEPT_S: Final = 60.0
"""How long an idle connection is used again; our services keep it longer."""
MOST_BYTES: Final = 16 * 1024 * 1024
_STATUS: Final = re.compile(rb"HTTP/1\.1 ([2-5][0-9][0-9])[ \r]")
_LENGTH: Final = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*(?=\r\n)", re.IGNORECASE)
_OTHER_FRAMING: Final = re.compile(rb"\r\ntransfer-encoding:", re.IGNORECASE)
_CLOSES: Final = re.compile(rb"\r\nconnection:[ \t]*close", re.IGNORECASE)


class UnexpectedAnswer(Exception):
    """The server answered something that our services do not write."""


@dataclass(slots=True)
class _ShopConnection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used_at: float = 0.0

    def is_fresh(self) -> bool:
        return not self.reader.at_eof() and monotonic() - self.used_at < KEPT_S


class ShopConnections:
    """Connections to the server of `url` (http or https)."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._tls = parts.scheme == "https"
        self._host, self._port = parts.hostname or "", parts.port or (443 if self._tls else 80)
        self._fields = f"Host: {parts.netloc.rpartition('@')[2]}\r\nAccept: application/json\r\n".encode("latin-1")
        self._idle: list[_ShopConnection] = []
        self._slots = asyncio.Semaphore(AT_ONCE)

    async def get(self, target: str, timeout_s: float, authorization: str | None = None) -> tuple[int, bytes]:
        """Status and body. `authorization`: its field. Raises OSError, EOFError, TimeoutError, UnexpectedAnswer."""
        own = b"" if authorization is None else b"Authorization: %s\r\n" % authorization.encode("ascii")
        patience_s = deadline.within(timeout_s)
        until = b"%s: %d\r\n" % (deadline.FIELD, patience_s * 1000)
        request = b"GET %s HTTP/1.1\r\n%s%s%s\r\n" % (target.encode("ascii"), self._fields, own, until)
        async with asyncio.timeout(patience_s), self._slots:
            idle = self._idle_connection()
            if idle is not None:
                try:
                    return await self._exchange(idle, request)
                except (OSError, EOFError):
                    pass  # the server had closed it; a GET may be repeated
            opened = await asyncio.open_connection(self._host, self._port, ssl=self._tls or None)
            return await self._exchange(_ShopConnection(*opened), request)

    async def aclose(self) -> None:
        """Closes the idle connections."""
        for connection in self._idle:
            connection.writer.close()
        self._idle.clear()

    def _idle_connection(self) -> _ShopConnection | None:
        while self._idle:
            connection = self._idle.pop()
            if connection.is_fresh():
                return connection
            connection.writer.close()
        return None

    async def _exchange(self, connection: _ShopConnection, request: bytes) -> tuple[int, bytes]:
        is_reusable = False
        try:
            connection.writer.write(request)
            head = await _head(connection.reader)
            status, length = _parsed(head)
            body = await connection.reader.readexactly(length)
            is_reusable = _CLOSES.search(head) is None
        finally:  # if it is cancelled, half an answer is still under way
            if is_reusable:
                connection.used_at = monotonic()
                self._idle.append(connection)
            else:
                connection.writer.close()
        return status, body


async def _head(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError as error:
        raise UnexpectedAnswer("the response head has no end") from error


def _parsed(head: bytes) -> tuple[int, int]:
    status, lengths = _STATUS.match(head), _LENGTH.findall(head)
    if status is None or len(lengths) != 1 or _OTHER_FRAMING.search(head) or int(lengths[0]) > MOST_BYTES:
        raise UnexpectedAnswer(
            "the response head is not supported: expected HTTP/1.1, one Content-Length, no Transfer-Encoding"
        )
    return int(status[1]), int(lengths[0])
