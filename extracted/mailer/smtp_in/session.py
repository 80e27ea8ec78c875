"""What a client may say, and what comes of it: aiosmtpd's commands, each in its turn, behind checks of our own."""

import asyncio
import hashlib
import hmac
from contextlib import suppress
from typing import Final

import structlog
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from extracted.mailer.smtp_in.connection import BYE, Connection, Goodbye, House
from extracted.mailer.smtp_in.data import CRLF, Endless, Incoming
from extracted.mailer.smtp_in.envelope import Commands, letter, path

log = structlog.get_logger("mailer.ingress")

COMMAND_BYTES: Final = {"AUTH": 12_288, "MAIL": 1_024, "RCPT": 1_024}
"""RFC 4954 section 4, and addresses in UTF-8 with parameters; RFC 5321's 512 for all others."""
_FIXED: Final = {
    "VRFY": "252 2.5.2 Nobody is looked up here; send the mail",
    "EXPN": "502 5.5.1 EXPN is not implemented",
    "HELP": "214 2.0.0 RFC 5321 tells all of it",
}
_OTHER_PROTOCOLS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH"})
_VERBS: Final = ("EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT")


class Conversation(Connection):
    """Made for each connection."""

    def __init__(self, house: House) -> None:
        listening = house.listening
        self._commands_since_mail = self._unknown_commands = self._failed_logins = 0
        super().__init__(
            house,
            Commands(house),
            data_size_limit=listening.limits.size,
            enable_SMTPUTF8=True,
            hostname=listening.name,
            tls_context=listening.tls,
            auth_require_tls=not listening.takes_plain_logins,
            authenticator=self._logged_in,
        )

    async def obey(self, line: bytes) -> None:
        """One command line, and the reply to it. Raises Goodbye."""
        first, _, argument = line.removesuffix(CRLF).partition(b" ")
        verb = first.decode("ascii", "replace").upper()
        self._count(verb)
        try:
            async with asyncio.timeout(None if verb == "DATA" else self.limits.idle_s):
                refused = _misread(verb, line) or self._fixed(verb)
                await (self.push(refused) if refused else self._run(verb, argument.decode().strip()))
        except TimeoutError:
            raise Goodbye(f"421 4.4.2 {verb} took more than {self.limits.idle_s:g} s; connect again") from None

    def _count(self, verb: str) -> None:
        """Raises Goodbye for a client that is none, that does not wait its turn, or that only talks."""
        self._commands_since_mail += 1
        if verb in _OTHER_PROTOCOLS:
            raise Goodbye("421 4.7.0 This is a mail server")
        if self._reader._buffer:  # type: ignore[attr-defined]  # aiosmtpd, too, has no other way to know
            raise Goodbye("554 5.5.0 More was sent before the reply; wait for each one (PIPELINING is not offered)")
        if self._commands_since_mail > self.limits.commands:
            raise Goodbye("421 4.7.0 Too many commands without a mail")

    def _fixed(self, verb: str) -> str | None:
        if verb in _FIXED:
            return _FIXED[verb]
        if verb in _VERBS or (verb == "AUTH" and self._has_login) or (verb == "STARTTLS" and self._can_start_tls):
            return None
        self._unknown_commands += 1
        if self._unknown_commands >= self.limits.unknown_commands:
            raise Goodbye("421 4.7.0 Too many unknown commands")
        return "500 5.5.1 The command is unknown"

    async def _run(self, verb: str, argument: str) -> None:
        await getattr(self, f"smtp_{verb}")(argument or None)

    @property
    def _has_login(self) -> bool:
        return self.house.listening.user is not None

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
        if self._failed_logins >= self.limits.failed_logins:
            raise Goodbye("421 4.7.0 Too many failed logins")

    def _logged_in(self, _s: SMTP, session: Session, _e: Envelope, _mechanism: str, given: LoginPassword) -> AuthResult:
        listening = self.house.listening
        is_known = _same(given.login, listening.user) & _same(given.password, listening.password)
        if not is_known:
            self._failed_logins += 1
            log.warning("login_failed", peer=str(session.peer[0]) if session.peer else None)
        return AuthResult(success=is_known, handled=False)

    def _getaddr(self, arg: str) -> tuple[str | None, str | None]:
        """aiosmtpd's own stumbles over some texts."""
        return path(arg)

    async def smtp_DATA(self, arg: str | None) -> None:
        """Reads, checks, keeps, and only then replies."""
        if await self._data_refused(arg):
            return
        self.is_in_data = True
        try:
            reply = await self._received()
        except Endless:
            raise Goodbye("552 5.3.4 The message has no end") from None
        except TimeoutError:
            raise Goodbye(f"421 4.4.2 The message took more than {self.limits.data_s:g} s") from None
        finally:
            self.is_in_data = False
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
        with Incoming(self.limits.size, self.house.room) as incoming:
            self._reader.feed_data(CRLF)  # of the DATA command: nothing else is there, as `_count` has seen
            async with asyncio.timeout(self.limits.data_s):
                await self.push("354 End it with CR LF . CR LF")
                await incoming.fill(self._reader)
            content = incoming.content()
            if incoming.refusal is not None:
                log.warning("mail_refused", bytes=len(content), reason=incoming.refusal)
                return incoming.refusal
            self._commands_since_mail = 0
            assert self.envelope is not None
            return await self.house.take(letter(self.envelope, content))


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
