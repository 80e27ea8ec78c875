"""One SMTP session: aiosmtpd's commands behind a reading loop that takes nothing but CRLF lines, each in its turn.

aiosmtpd 1.4.6 alone takes commands that end in a bare LF and runs what was sent ahead of its replies.
"""

import asyncio
import hashlib
import hmac
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import structlog
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session, TLSSetupException

from extracted.mailer.smtp_ingress_data import CRLF, Endless, Incoming, Room
from extracted.mailer.smtp_ingress_values import Letter, Listening

log = structlog.get_logger("mailer.ingress")

COMMAND_BYTES: Final = {"AUTH": 12_288, "MAIL": 1_024, "RCPT": 1_024}
"""RFC 4954 section 4, and addresses in UTF-8 with parameters; RFC 5321's 512 for all others."""
BUFFER: Final = 64 * 1024
LINGER_S: Final = 2.0
"""So long a client may take to read the last words: what it still sends would make its system drop them."""
FULL: Final = "421 4.7.0 Too many connections; try again later"
BYE: Final = "221 2.0.0 Bye"
NO_PATH: Final = "<>"
_PATH: Final = re.compile(r'<((?:"(?:[^"\\]|\\.)*"|[^<>"\s])*)>(?:[ ]+([!-~]+(?:[ ]+[!-~]+)*))?')
_FIXED: Final = {
    "VRFY": "252 2.5.2 Nobody is looked up here; send the mail",
    "EXPN": "502 5.5.1 EXPN is not implemented",
    "HELP": "214 2.0.0 RFC 5321 tells all of it",
}
_OTHER_PROTOCOLS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH"})
_VERBS: Final = ("EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT")


class Goodbye(Exception):
    """The reply after which the session ends."""


@dataclass(slots=True)
class House:
    """What all sessions share. `address`: the canonical form of an address, None: it is none."""

    listening: Listening
    take: Callable[[Letter], Awaitable[str]]
    address: Callable[[str], str | None]
    room: Room
    open: set["Conversation"] = field(default_factory=set)


class Conversation(SMTP):
    """Made for each connection; registers itself in the house."""

    line_length_limit = BUFFER

    def __init__(self, house: House) -> None:
        listening = house.listening
        self._house = house
        self._limits = listening.limits
        self._commands_since_mail = 0
        self._unknown_commands = 0
        self._failed_logins = 0
        self._is_in_data = self._has_eof = self._is_over = False
        self._last_words: str | None = None
        self._abort: asyncio.TimerHandle | None = None
        super().__init__(
            Commands(house),
            data_size_limit=listening.limits.size,
            enable_SMTPUTF8=True,
            hostname=listening.name,
            tls_context=listening.tls,
            timeout=listening.limits.session_s,
            auth_require_tls=not listening.takes_plain_logins,
            authenticator=self._logged_in,
            loop=asyncio.get_running_loop(),
        )

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Also when TLS has begun; aiosmtpd then forgets all that was said before, and what was sent too early."""
        super().connection_made(transport)
        if self in self._house.open or len(self._house.open) < self._limits.connections:
            self._house.open.add(self)
        else:
            self._last_words = FULL

    def connection_lost(self, error: Exception | None) -> None:
        self._house.open.discard(self)
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
        if not self._is_in_data and self._handler_coroutine is not None:
            self._say_goodbye(reply)
            self._handler_coroutine.cancel()

    def abort(self) -> None:
        """At once, without a word."""
        transport = self._original_transport or self.transport
        if transport is not None:
            transport.abort()  # type: ignore[attr-defined]  # each socket transport has it

    def _timeout_cb(self) -> None:
        self.leave("421 4.4.2 The session has lasted too long; connect again")
        self._abort_in(self._limits.data_s + self._limits.hold_s + self._limits.store_s + LINGER_S)

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
            self._house.open.discard(self)  # there was no connection for TLS, so none is lost
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
            line = await self._line()
            verb, _, argument = line.removesuffix(CRLF).partition(b" ")
            await self._obey(verb.decode("ascii", "replace").upper(), argument, line)
        raise Goodbye(self._last_words)

    async def _line(self) -> bytes:
        try:
            async with asyncio.timeout(self._limits.idle_s):
                return await self._reader.readuntil(b"\n")
        except asyncio.LimitOverrunError:
            raise Goodbye("500 5.5.2 The command line is far too long") from None
        except TimeoutError:
            raise Goodbye(f"421 4.4.2 Nothing came for {self._limits.idle_s:g} s; connect again") from None

    async def _obey(self, verb: str, argument: bytes, line: bytes) -> None:
        self._count(verb)
        try:
            async with asyncio.timeout(None if verb == "DATA" else self._limits.idle_s):
                refused = _misread(verb, line) or self._fixed(verb)
                await (self.push(refused) if refused else self._run(verb, argument.decode().strip()))
        except TimeoutError:
            raise Goodbye(f"421 4.4.2 {verb} took more than {self._limits.idle_s:g} s; connect again") from None

    def _count(self, verb: str) -> None:
        """Raises Goodbye for a client that is none, that does not wait its turn, or that only talks."""
        self._commands_since_mail += 1
        if verb in _OTHER_PROTOCOLS:
            raise Goodbye("421 4.7.0 This is a mail server")
        if self._reader._buffer:  # type: ignore[attr-defined]  # aiosmtpd, too, has no other way to know
            raise Goodbye("554 5.5.0 More was sent before the reply; wait for each one (PIPELINING is not offered)")
        if self._commands_since_mail > self._limits.commands:
            raise Goodbye("421 4.7.0 Too many commands without a mail")

    def _fixed(self, verb: str) -> str | None:
        if verb in _FIXED:
            return _FIXED[verb]
        if verb in _VERBS or (verb == "AUTH" and self._has_login) or (verb == "STARTTLS" and self._can_start_tls):
            return None
        self._unknown_commands += 1
        if self._unknown_commands >= self._limits.unknown_commands:
            raise Goodbye("421 4.7.0 Too many unknown commands")
        return "500 5.5.1 The command is unknown"

    async def _run(self, verb: str, argument: str) -> None:
        await getattr(self, f"smtp_{verb}")(argument or None)

    @property
    def _has_login(self) -> bool:
        return self._house.listening.user is not None

    @property
    def _can_start_tls(self) -> bool:
        return self.tls_context is not None and self._tls_protocol is None

    async def check_auth_needed(self, caller_method: str) -> bool:
        """aiosmtpd's own check wants TLS everywhere."""
        is_needed = self._has_login and self.session is not None and not self.session.authenticated
        if is_needed:
            await self.push("530 5.7.0 Log in first (AUTH)")
        return is_needed

    async def smtp_QUIT(self, arg: str | None) -> None:
        """Ends the session."""
        raise Goodbye(BYE)

    async def smtp_AUTH(self, arg: str | None) -> None:
        """The mechanism in any case of letters; too many wrong passwords end the session."""
        mechanism, blank, rest = (arg or "").partition(" ")
        try:
            await super().smtp_AUTH(mechanism.upper() + blank + rest)
        except ValueError:
            raise Goodbye("500 5.5.2 The line is far too long") from None
        if self._failed_logins >= self._limits.failed_logins:
            raise Goodbye("421 4.7.0 Too many failed logins")

    def _logged_in(self, _s: SMTP, session: Session, _e: Envelope, _mechanism: str, given: LoginPassword) -> AuthResult:
        listening = self._house.listening
        is_known = _same(given.login, listening.user) & _same(given.password, listening.password)
        if not is_known:
            self._failed_logins += 1
            log.warning("login_failed", peer=str(session.peer[0]) if session.peer else None)
        return AuthResult(success=is_known, handled=False)

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """`<path>` and its parameters; aiosmtpd's own reads comments and folded lines, and stumbles over some texts."""
        found = _PATH.fullmatch(arg)
        return (found[1] or NO_PATH, found[2] or "") if found else (None, None)

    async def smtp_DATA(self, arg: str | None) -> None:
        """Reads, checks, keeps, and only then replies."""
        if await self._data_refused(arg):
            return
        self._is_in_data = True
        try:
            reply = await self._received()
        except Endless:
            raise Goodbye("552 5.3.4 The message has no end") from None
        except TimeoutError:
            raise Goodbye(f"421 4.4.2 The message took more than {self._limits.data_s:g} s") from None
        finally:
            self._is_in_data = False
        self._set_post_data_state()  # type: ignore[no-untyped-call]  # aiosmtpd has no types here
        await self.push(reply)

    async def _data_refused(self, arg: str | None) -> bool:
        if await self.check_helo_needed() or await self.check_auth_needed("DATA"):
            return True
        if self.envelope is None or not self.envelope.rcpt_tos:
            await self.push("503 5.5.1 Send RCPT first")
            return True
        if arg:
            await self.push("501 5.5.4 DATA takes no argument")
        return bool(arg)

    async def _received(self) -> str:
        """The reply. Raises Endless, TimeoutError."""
        with Incoming(self._limits.size, self._house.room) as incoming:
            self._reader.feed_data(CRLF)  # of the DATA command: nothing else is there, as `_count` has seen
            async with asyncio.timeout(self._limits.data_s):
                await self.push("354 End it with CR LF . CR LF")
                await incoming.fill(self._reader)
            content = incoming.content()
            if incoming.refusal is not None:
                log.warning("mail_refused", bytes=len(content), reason=incoming.refusal)
                return incoming.refusal
            self._commands_since_mail = 0
            return await self._house.take(self._letter(content))

    def _letter(self, content: bytes) -> Letter:
        envelope = self.envelope
        assert envelope is not None
        sender = str(envelope.mail_from)
        return Letter("" if sender == NO_PATH else sender, tuple(dict.fromkeys(envelope.rcpt_tos)), content)


class Commands:
    """aiosmtpd's hooks: what each command does to the envelope. The names are aiosmtpd's."""

    def __init__(self, house: House) -> None:
        self._house = house

    async def handle_EHLO(
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, replies: list[str]
    ) -> list[str]:
        """Offers no login where there is none, and no HELP."""
        session.host_name = hostname
        has_login = self._house.listening.user is not None
        offered = [reply for reply in replies if has_login or not reply.startswith("250-AUTH")]
        return [*offered[:-2], offered[-2].replace("-", " ", 1)]

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        """`<>`: a mail that nobody sends."""
        sender = address if address == NO_PATH else self._house.address(address)
        if sender is None:
            return "553 5.1.7 The sender's address is none"
        envelope.mail_from = sender
        envelope.mail_options.extend(options)
        return "250 2.1.0 OK"

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        """Counts repeated ones, too."""
        recipient = self._house.address(address)
        if recipient is None:
            return "553 5.1.3 The recipient's address is none"
        if len(envelope.rcpt_tos) >= self._house.listening.limits.recipients:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(recipient)
        return "250 2.1.5 OK"


def _misread(verb: str, line: bytes) -> str | None:
    """The reply to a line that is not read any further."""
    if len(line) > COMMAND_BYTES.get(verb, 512):
        return "500 5.5.2 The command line is too long"
    if not line.endswith(CRLF):
        return "500 5.5.2 The line ends in a bare LF; wanted CR LF"
    if any(byte < 0x20 or byte == 0x7F for byte in line[:-2]):
        return "500 5.5.2 The command has control characters"
    with suppress(UnicodeDecodeError):
        if line.decode().isascii() or verb in ("MAIL", "RCPT"):
            return None
    return "500 5.5.2 The command is neither ASCII nor an address in UTF-8"


def _same(given: bytes, wanted: str | None) -> bool:
    """In a time that tells nothing, not even the length."""
    hashed = (hashlib.sha256(value).digest() for value in (given, (wanted or "").encode()))
    return hmac.compare_digest(*hashed)
