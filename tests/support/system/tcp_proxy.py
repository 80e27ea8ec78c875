"""A TCP proxy before a broker or database: it fails on demand, each way, and keeps the bytes that passed."""

import asyncio
import struct
import threading
from collections.abc import Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from socket import SO_LINGER, SOL_SOCKET
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

READ = 64 * 1024
POLL_S = 0.01
RESET = struct.pack("ii", 1, 0)  # closing sends RST, and waits for nothing


@dataclass
class Way:
    """The faults of one direction. Set the fields at any time, from any thread.

    `cut_after`: so many more bytes pass, then their connection is reset, once. `bytes_per_s`: the speed limit.
    `held`: nothing passes and nothing ends, as if a cable was pulled; False lets everything continue.
    `holds`: when these texts have passed this way in this order on one connection, that other way is held.
    """

    cut_after: int | None = None
    bytes_per_s: int | None = None
    held: bool = False
    holds: "tuple[tuple[bytes, ...], Way] | None" = None
    passed: int = 0


@dataclass
class Conversation:
    """The bytes of one connection: `up` from client to server, `down` back."""

    up: bytearray = field(default_factory=bytearray)
    down: bytearray = field(default_factory=bytearray)


class _Cut(Exception):
    """The connection must be reset."""


class TcpProxy:
    """`with TcpProxy(port) as proxy:`, in sync and async tests: it runs in its own thread."""

    def __init__(self, target_port: int, host: str = "127.0.0.1") -> None:
        self._target = (host, target_port)
        self.up, self.down = Way(), Way()
        self.refuses = False
        self.conversations: list[Conversation] = []
        self.port = 0
        self._open: set[asyncio.StreamWriter] = set()
        self._relays: set[asyncio.Task[Any]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="tcp-proxy", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._accepted, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, _kind: type[BaseException] | None, _e: BaseException | None, _t: TracebackType | None) -> None:
        self._call(self._closed())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def through(self, url: str) -> str:
        """The URL with this proxy as host and port."""
        parts = urlsplit(url)
        user, at, _host = parts.netloc.rpartition("@")
        return parts._replace(netloc=f"{user}{at}127.0.0.1:{self.port}").geturl()

    def cut(self) -> None:
        """Resets every connection; new ones are accepted."""
        self._call(self._cut())

    def heal(self) -> None:
        """Removes all faults; held bytes pass."""
        self.refuses = False
        for way in (self.up, self.down):
            way.cut_after, way.bytes_per_s, way.held, way.holds = None, None, False, None

    @property
    def connections(self) -> int:
        """The number of open connections."""
        return len(self._open) // 2

    def _call(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(10)

    async def _accepted(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuses:
            _reset(writer)
            return
        task = asyncio.current_task()
        assert task is not None
        self._relays.add(task)
        ends = [writer]
        try:
            from_server, to_server = await asyncio.open_connection(*self._target)
            ends.append(to_server)
            self._open.update(ends)
            seen = Conversation()
            self.conversations.append(seen)
            async with asyncio.TaskGroup() as both:
                both.create_task(_pump(reader, to_server, self.up, seen.up))
                both.create_task(_pump(from_server, writer, self.down, seen.down))
        except* (OSError, _Cut):
            pass
        finally:
            for end in ends:
                _reset(end)
            self._open.difference_update(ends)
            self._relays.discard(task)

    async def _cut(self) -> None:
        for writer in list(self._open):
            _reset(writer)

    async def _closed(self) -> None:
        self._server.close()
        self.heal()
        await self._cut()
        if self._relays:
            await asyncio.wait(self._relays, timeout=5)


class _Watch:
    """Which of the texts in `holds` have passed on one connection."""

    def __init__(self) -> None:
        self._for: tuple[tuple[bytes, ...], Way] | None = None
        self._missing: list[bytes] = []

    def passes(self, data: bytes, way: Way) -> None:
        if way.holds is not self._for:
            self._for, self._missing = way.holds, list(way.holds[0] if way.holds else ())
        while self._missing and self._missing[0] in data:
            data = data.partition(self._missing.pop(0))[2]
            if not self._missing and way.holds is not None:
                way.holds[1].held = True


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, way: Way, seen: bytearray) -> None:
    watch = _Watch()
    while True:
        slow = way.bytes_per_s
        data = await reader.read(max(1, slow // 20) if slow else READ)
        while way.held:
            await asyncio.sleep(POLL_S)
        if not data:
            with suppress(OSError):
                writer.write_eof()
            return
        watch.passes(data, way)
        await _pass(data, writer, way, seen)
        if slow:
            await asyncio.sleep(len(data) / slow)


async def _pass(data: bytes, writer: asyncio.StreamWriter, way: Way, seen: bytearray) -> None:
    left = way.cut_after
    data = data if left is None else data[:left]
    way.passed += len(data)
    seen += data
    writer.write(data)
    await writer.drain()
    if left is not None:
        way.cut_after = left - len(data)
        if way.cut_after <= 0:
            way.cut_after = None
            raise _Cut


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None and not writer.transport.is_closing():
        with suppress(OSError):
            sock.setsockopt(SOL_SOCKET, SO_LINGER, RESET)
    writer.transport.abort()
