"""One connection to Redis: commands leave at once, and are answered in their order (RESP2, redis.io/docs/reference)."""

import asyncio
import ssl
from collections import deque
from math import inf
from typing import Final, cast

from strangler_gateway.http.write_batch import Output, WriteBatch
from strangler_gateway.redis.address import RedisAddress

_MAX_ANSWER: Final = 64 * 1024
_MAX_LATE: Final = 3
"""Looks in a row that find a late answer, with none in time between them; then the connection is given up."""
_GRACE_S: Final = 0.001
"""What has arrived while the loop was busy must still be read before it counts as late."""


class RedisRefused(Exception):
    """Redis answers a command with an error."""


RedisAnswer = bytes | RedisRefused | None
"""None: it is late, or the connection is lost."""


class RedisLink:
    """A protocol for the loop, made inside it. `lost` tells why the connection has ended."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._out: Output | None = None
        self._asked: deque[asyncio.Future[RedisAnswer]] = deque()
        self._due: deque[tuple[float, asyncio.Future[RedisAnswer]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._look_at = inf
        self._looked = False
        self._late = 0
        self._buffer = b""
        self._why = ""
        self.lost: asyncio.Future[str] = self._loop.create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]  # of a stream
        self._out = Output(WriteBatch(), transport)  # type: ignore[arg-type]  # the same

    def ask(self, command: bytes, timeout_s: float) -> asyncio.Future[RedisAnswer]:
        """`command` as `encoded` makes it. The future never fails."""
        loop = self._loop
        answer: asyncio.Future[RedisAnswer] = loop.create_future()
        if self.lost.done() or self._out is None:
            answer.set_result(None)
            return answer
        self._out.send(command)
        due = loop.time() + timeout_s
        self._asked.append(answer)
        self._due.append((due, answer))
        if due < self._look_at:
            self._look_later(due)
        return answer

    def data_received(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data
        try:
            while self._buffer and self._take_answer():
                pass
        except (ValueError, IndexError):
            self.give_up("its answer cannot be read")
        if len(self._buffer) > _MAX_ANSWER:
            self.give_up("its answer is too long")

    def _take_answer(self) -> bool:
        """False where the rest of it has not come yet. Raises ValueError, IndexError."""
        buffer = self._buffer
        end = buffer.find(b"\r\n")
        if end < 0:
            return False
        kind, said = buffer[:1], buffer[1:end]
        end += 2
        answer: RedisAnswer = said
        if kind == b"$" and said != b"-1":
            start, end = end, end + int(said) + 2
            if end > len(buffer):
                return False
            answer = buffer[start : end - 2]
        elif kind == b"-":
            answer = RedisRefused(said.decode("utf-8", "replace"))
        elif kind not in (b"+", b":", b"$"):
            raise ValueError(kind)
        self._buffer = buffer[end:]
        waiting = self._asked.popleft()
        if not waiting.done():
            self._late = 0
            waiting.set_result(answer)
        return True

    def _look(self) -> None:
        """Ends what is late; looks again a moment later before that: the answer may be here already, unread."""
        now, due, late = self._loop.time(), self._due, False
        while due and (due[0][1].done() or (due[0][0] <= now and self._looked)):
            _, answer = due.popleft()
            if not answer.done():
                answer.set_result(None)
                late = True
        self._looked = not self._looked and bool(due) and due[0][0] <= now
        self._late += late
        self._look_at = inf
        if self._late >= _MAX_LATE:
            self.give_up("it does not answer in time")
        elif due:
            self._look_later(now + _GRACE_S if self._looked else due[0][0])

    def _look_later(self, at: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._look_at = at
        self._timer = self._loop.call_at(at, self._look)

    def give_up(self, why: str) -> None:
        """Ends the connection, for this reason."""
        self._why = self._why or why
        if self._transport is not None:
            self._transport.abort()

    def eof_received(self) -> None:
        """Redis has closed its side; the loop closes ours."""

    def pause_writing(self) -> None:
        """What is asked is small and has a time-out: nothing waits for room."""

    def resume_writing(self) -> None:
        """The same."""

    def connection_lost(self, exc: Exception | None) -> None:
        if self._timer is not None:
            self._timer.cancel()
        for waiting in self._asked:
            if not waiting.done():
                waiting.set_result(None)
        self._asked.clear()
        self._due.clear()
        if not self.lost.done():
            self.lost.set_result(self._why or "it has closed the connection")


async def open_link(address: RedisAddress) -> RedisLink:
    """Connects; nothing has been said yet. Raises OSError."""
    loop, link = asyncio.get_running_loop(), RedisLink()
    # A loop calls the methods of a protocol; a compiled class cannot have asyncio's as its base.
    protocol = lambda: cast(asyncio.Protocol, link)  # noqa: E731  # used once, in two ways
    if address.unix is not None:
        await loop.create_unix_connection(protocol, address.unix)
    else:
        tls = ssl.create_default_context() if address.tls else None
        await loop.create_connection(protocol, address.host, address.port, ssl=tls)
    return link


def encoded(*words: bytes) -> bytes:
    """A command as Redis reads it."""
    return b"*%d\r\n" % len(words) + b"".join([b"$%d\r\n%b\r\n" % (len(word), word) for word in words])
