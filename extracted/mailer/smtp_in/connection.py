"""One connection to the ingress from its greeting to its last words: what it may cost, and that it ends.

It stands on aiosmtpd 1.4.6 with a reading loop of its own: aiosmtpd's takes commands that end in a bare LF, runs what
was sent ahead of its replies, and leaves a client that does not read waiting for ever.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiosmtpd.smtp import SMTP, TLSSetupException

from extracted.mailer.smtp_in.data import CRLF, Room
from extracted.mailer.smtp_in.values import Letter, Listening

log = structlog.get_logger("mailer.ingress")

BUFFER: Final = 64 * 1024
LINGER_S: Final = 2.0
"""So long a client may take to read the last words: what it still sends would make its system drop them."""
FULL: Final = "421 4.7.0 Too many connections; try again later"
BYE: Final = "221 2.0.0 Bye"


class Goodbye(Exception):
    """The reply after which the session ends."""


@dataclass(slots=True)
class House:
    """What all sessions share. `address`: the canonical form of an address, None: it is none."""

    listening: Listening
    take: Callable[[Letter], Awaitable[str]]
    address: Callable[[str], str | None]
    room: Room
    open: set["Connection"] = field(default_factory=set)


class Connection(SMTP):
    """Registers itself in the house. `obey` is another's: see Conversation."""

    line_length_limit = BUFFER

    def __init__(self, house: House, hooks: object, **options: Any) -> None:
        self.house = house
        self.limits = house.listening.limits
        self.is_in_data = False
        self._has_eof = self._is_over = False
        self._last_words: str | None = None
        self._abort: asyncio.TimerHandle | None = None
        super().__init__(hooks, timeout=self.limits.session_s, loop=asyncio.get_running_loop(), **options)

    async def obey(self, line: bytes) -> None:
        """Raises Goodbye."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Also when TLS has begun; aiosmtpd then forgets all that was said before, and what was sent too early."""
        super().connection_made(transport)
        if self in self.house.open or len(self.house.open) < self.limits.connections:
            self.house.open.add(self)
        else:
            self._last_words = FULL

    def connection_lost(self, error: Exception | None) -> None:
        self.house.open.discard(self)
        if self._abort is not None:
            self._abort.cancel()
        super().connection_lost(error)

    async def ended(self) -> None:
        """Returns when it has."""
        if self._handler_coroutine is not None:
            await asyncio.wait([self._handler_coroutine])

    def data_received(self, data: bytes) -> None:
        """Nothing is kept of what comes after the last words."""
        if not self._is_over:
            super().data_received(data)

    def eof_received(self) -> bool:
        """A client that has said all it will still gets its replies (over TCP; TLS has no half-closed state)."""
        self._has_eof = True
        self._reader.feed_eof()
        return not self._is_over and self.session is not None and self.session.ssl is None

    def leave(self, reply: str) -> None:
        """Ends the session with this reply: at once, or after the message that is under way."""
        if self._last_words is not None:
            return
        self._last_words = reply
        if not self.is_in_data and self._handler_coroutine is not None:
            self._say_goodbye(reply)
            self._handler_coroutine.cancel()

    def abort(self) -> None:
        """At once, without a word."""
        transport = self._original_transport or self.transport
        if transport is not None:
            transport.abort()  # type: ignore[attr-defined]  # each socket transport has it

    def _timeout_cb(self) -> None:
        self._abort_in(self.limits.data_s + self.limits.hold_s + self.limits.store_s + LINGER_S)
        self.leave("421 4.4.2 The session has lasted too long; connect again")

    def _abort_in(self, seconds: float) -> None:
        if self._abort is not None:
            self._abort.cancel()
        self._abort = self.loop.call_later(seconds, self.abort)

    def _say_goodbye(self, reply: str) -> None:
        self._last_words = reply
        if not self._is_over and not self._writer.is_closing():
            self._writer.write(reply.encode() + CRLF)
        self._close()

    def _close(self) -> None:
        """At once where nothing can come any more; what a client does not read in time is lost."""
        if self._is_over:
            return
        self._is_over = True
        if self._has_eof or self._last_words in (FULL, BYE) or not self._writer.can_write_eof():
            self._writer.close()
        elif not self._writer.is_closing():
            self._writer.write_eof()
            self._writer.transport.resume_reading()  # type: ignore[attr-defined]  # each socket transport has it
        self._abort_in(LINGER_S)

    async def _handle_client(self) -> None:
        """Nothing but a cancellation leaves it: nobody awaits this task."""
        try:
            await self._talk()
        except Goodbye as end:
            self._say_goodbye(str(end))
        except TLSSetupException:
            self.house.open.discard(self)  # there was no connection for TLS, so none is lost
            self._close()
        except (ConnectionError, asyncio.IncompleteReadError):
            self._close()
        except Exception:
            log.exception("session_failed")
            self._say_goodbye("421 4.3.0 The session failed; connect again")
        finally:
            if self._timeout_handle is not None:
                self._timeout_handle.cancel()

    async def _talk(self) -> None:
        if self._last_words is None:
            await self.push(f"220 {self.hostname} ESMTP")
        while self._last_words is None:
            await self.obey(await self._line())
        raise Goodbye(self._last_words)

    async def _line(self) -> bytes:
        try:
            async with asyncio.timeout(self.limits.idle_s):
                return await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise Goodbye("500 5.5.2 The command line is far too long") from None
        except TimeoutError:
            raise Goodbye(f"421 4.4.2 Nothing came for {self.limits.idle_s:g} s; connect again") from None
