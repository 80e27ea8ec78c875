"""One SMTP connection from its greeting to its last words: stands before aiosmtpd and bounds what a client can do.

aiosmtpd 1.4.6 runs commands that end in a bare LF or come ahead of its replies, keeps a line without end in memory, and
waits forever for a client that does not read. Here it gets one checked line at a time, after its reply to the last one,
and of a message only the end.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from enum import Enum
from typing import Any, Final, cast

import structlog
from aiosmtpd.smtp import SMTP, TLSSetupException

from extracted.mailer.smtp_in.endpoint import IngressLimits
from extracted.mailer.smtp_in.incoming_message import CRLF, BufferBudget, Endless, IncomingMessage

log = structlog.get_logger("mailer.ingress")

BUFFER: Final = 64 * 1024
LINGER_S: Final = 2.0
"""How long a client may take to read the last words: closed at once, they are lost where it is still sending."""
FULL: Final = "421 4.7.0 Too many connections; try again later"
BYE: Final = "221 2.0.0 Bye"
AHEAD: Final = "554 5.5.0 More was sent before the reply; wait for each one (PIPELINING is not offered)"

Turn = Enum("Turn", ["COMMAND", "CHALLENGED", "MESSAGE", "REPLY", "OVER"])
"""COMMAND, CHALLENGED (by AUTH), MESSAGE: the client sends that next. REPLY: the server does."""


class GuardedConnection(SMTP):
    """`others`: all open connections of the ingress, this one among them while it is open."""

    line_length_limit = BUFFER
    command_size_limit = BUFFER  # `obey` has narrower limits

    def __init__(
        self, limits: IngressLimits, budget: BufferBudget, others: set["GuardedConnection"], **options: Any
    ) -> None:
        self.limits, self._budget, self._others = limits, budget, others
        self.command_size_limits = defaultdict(lambda: BUFFER)
        self.message: IncomingMessage | None = None
        self.pending = bytearray()
        self.over = asyncio.Event()
        self._turn = Turn.REPLY
        self._has_eof = self._starts_tls = False
        self._last_words: str | None = None
        self._timers: dict[str, asyncio.TimerHandle] = {}
        longest_s = limits.session_s + limits.data_s + limits.message_reply_s  # nothing ends by aiosmtpd's own timer
        super().__init__(self, timeout=longest_s, ident="ESMTP", loop=asyncio.get_running_loop(), **options)

    def obey(self, line: bytes) -> None:
        """Takes a command line: calls `answer`, `forward` or `hang_up`."""
        raise NotImplementedError

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called again when TLS has begun: what came in plain text before is forgotten."""
        if self._starts_tls:
            super().connection_made(transport)
            self.pending.clear()
            self._starts_tls = False
            self._replied(b"220")
        elif len(self._others) < self.limits.connections:
            self._others.add(self)
            why = "421 4.4.2 The session has lasted too long; connect again"
            self._set_timer("session", self.limits.session_s, lambda: self.leave(why))
            super().connection_made(transport)
        else:
            self.transport = transport
            self.hang_up(FULL)

    def connection_lost(self, error: Exception | None) -> None:
        self._forget()
        self._others.discard(self)
        for timer in self._timers.values():
            timer.cancel()
        if self.session is not None:
            super().connection_lost(error)

    def data_received(self, data: bytes) -> None:
        if self._turn is not Turn.OVER:
            self.pending += data
            self._read()

    def eof_received(self) -> bool:
        """A client that sends no more still gets its reply (over TCP; TLS has no half-closed state)."""
        self._has_eof = True
        return self._turn is Turn.REPLY and self.session is not None and self.session.ssl is None

    def forward(self, line: bytes, name: str, seconds: float | None = None) -> None:
        """aiosmtpd gets this line. `seconds`: how long its reply may take."""
        why = f"421 4.4.2 {name} took more than {seconds or self.limits.idle_s:g} s; connect again"
        self._take_turn(Turn.REPLY, seconds or self.limits.idle_s, why)
        super().data_received(line)

    def answer(self, reply: str) -> None:
        """Replies to a command that aiosmtpd does not get."""
        self._socket.write(reply.encode() + CRLF)
        self._replied(reply[:3].encode())

    async def push(self, status: str | bytes) -> None:
        """How aiosmtpd replies; after the last line of a reply it is the client's turn."""
        if self._turn is Turn.OVER:
            return
        reply = status.encode() if isinstance(status, str) else status
        await super().push(reply)
        if self._turn is Turn.REPLY and reply[3:4] != b"-" and not self._starts_tls:
            self._replied(reply[:3])

    async def smtp_STARTTLS(self, arg: str | None) -> None:
        """To aiosmtpd, a connection that is lost in the handshake looks like a success."""
        self._starts_tls = not arg
        await super().smtp_STARTTLS(arg)
        if self._starts_tls:
            raise TLSSetupException

    async def handle_exception(self, error: Exception) -> str:
        """Of a command; aiosmtpd itself closes the connection where a handshake has failed."""
        if not isinstance(error, TLSSetupException):
            log.error("session_failed", exc_info=error)
            self.hang_up("421 4.3.0 The session failed; connect again")
        return ""

    def leave(self, reply: str) -> None:
        """Ends with this reply: after the message that is under way, if there is one."""
        self._last_words = self._last_words or reply
        if self.message is None:
            self.hang_up(self._last_words)

    def hang_up(self, reply: str) -> None:
        """Ends with this reply, now. It reads on for a moment where more may come, so that the client can read, too."""
        if self._turn is Turn.OVER:
            return
        self._forget()
        if not self._socket.is_closing():
            self._socket.write(reply.encode() + CRLF if reply else b"")
        if self._has_eof or reply in (FULL, BYE) or not self._socket.can_write_eof():
            self._socket.close()
        elif not self._socket.is_closing():
            self._socket.write_eof()
            self._socket.resume_reading()
        self._set_timer("turn", LINGER_S, self.abort)

    def abort(self) -> None:
        """Ends without a word."""
        if self.transport is not None:
            self._socket.abort()

    @property
    def _socket(self) -> asyncio.Transport:
        return cast(asyncio.Transport, self.transport)

    def _forget(self) -> None:
        self._turn = Turn.OVER
        self.over.set()
        self.pending.clear()
        self._end_message()

    def _end_message(self) -> None:
        if self.message is not None:
            self.message.discard()
            self.message = None

    def _take_turn(self, turn: Turn, seconds: float, why: str) -> None:
        """`why`: the last words where the turn takes longer."""
        self._turn = turn
        self._set_timer("turn", seconds, lambda: self.hang_up(why))

    def _set_timer(self, name: str, seconds: float, act: Callable[[], None]) -> None:
        if name in self._timers:
            self._timers[name].cancel()
        self._timers[name] = self.loop.call_later(seconds, act)

    def _replied(self, code: bytes) -> None:
        """The client may go on, unless the session is to end, or a message came before the 354."""
        self._end_message()
        if self._last_words is not None:
            self.hang_up(self._last_words)
        elif code == b"354" and self.pending:
            self.hang_up(AHEAD)
        elif code == b"354":
            self.message = IncomingMessage(self.limits.size, self._budget)
            why = f"421 4.4.2 The message took more than {self.limits.data_s:g} s"
            self._take_turn(Turn.MESSAGE, self.limits.data_s, why)
        else:
            why = f"421 4.4.2 Nothing came for {self.limits.idle_s:g} s; connect again"
            self._take_turn(Turn.CHALLENGED if code == b"334" else Turn.COMMAND, self.limits.idle_s, why)
            self._read()

    def _read(self) -> None:
        """As far as the turn allows; what comes before its turn waits here, and then in the client."""
        if self._turn is Turn.MESSAGE:
            self._read_message()
        elif self._turn in (Turn.COMMAND, Turn.CHALLENGED):
            self._read_line()
        if self._turn is not Turn.OVER and not self._socket.is_closing():
            self._socket.pause_reading() if len(self.pending) > BUFFER else self._socket.resume_reading()

    def _read_line(self) -> None:
        end = self.pending.find(b"\n") + 1
        line = bytes(self.pending[:end])
        if (end or len(self.pending)) > BUFFER:
            self.hang_up("500 5.5.2 The command line is far too long")
        elif end:
            del self.pending[:end]
            self.forward(line, "AUTH") if self._turn is Turn.CHALLENGED else self.obey(line)
        elif self._has_eof:
            self.hang_up("")

    def _read_message(self) -> None:
        assert self.message is not None
        try:
            rest = self.message.feed(self.pending)
        except Endless:
            self.hang_up("552 5.3.4 The message has no end")
            return
        self.pending = bytearray(rest or b"")
        if rest is not None:
            self.forward(b".\r\n", "DATA", self.limits.message_reply_s)
