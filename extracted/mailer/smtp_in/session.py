"""The commands of a session: what each may be, and what it does. aiosmtpd runs them, behind checks of our own."""

import hashlib
import hmac
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import structlog
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

from extracted.mailer.smtp_in import paths
from extracted.mailer.smtp_in.connection import AHEAD, BYE, GuardedConnection
from extracted.mailer.smtp_in.endpoint import IngressEndpoint
from extracted.mailer.smtp_in.incoming_message import CRLF, BufferBudget
from extracted.mailer.smtp_in.submission import Submission

log = structlog.get_logger("mailer.ingress")

COMMAND_BYTES: Final = {"AUTH": 12_288, "MAIL": 1_024, "RCPT": 1_024}
"""RFC 4954 section 4, and addresses in UTF-8 with parameters; RFC 5321's 512 for all others."""
_FIXED: Final = {
    "VRFY": "252 2.5.2 VRFY does not check users; send the mail",
    "EXPN": "502 5.5.1 EXPN is not implemented",
    "HELP": "214 2.0.0 See RFC 5321",
}
_OTHER_PROTOCOLS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "CONNECT", "TRACE", "PATCH"})
_VERBS: Final = ("EHLO", "HELO", "MAIL", "RCPT", "DATA", "RSET", "NOOP", "QUIT")


class IngressSession(GuardedConnection):
    """Made for each connection; aiosmtpd's handler, too. `submit`: takes a message, returns the reply to it."""

    def __init__(
        self,
        endpoint: IngressEndpoint,
        submit: Callable[[Submission], Awaitable[str]],
        budget: BufferBudget,
        others: set[GuardedConnection],
    ) -> None:
        self._endpoint = endpoint
        self._submit = submit
        self._path: str | None = None
        self._commands_since_mail = self._unknown_commands = self._failed_logins = 0
        super().__init__(
            endpoint.limits,
            budget,
            others,
            data_size_limit=endpoint.limits.size,
            enable_SMTPUTF8=True,
            hostname=endpoint.name,
            tls_context=endpoint.tls,
            auth_require_tls=not endpoint.takes_plain_logins,
            authenticator=self._logged_in,
        )

    def obey(self, line: bytes) -> None:
        """Hangs up on a client that speaks another protocol, does not wait for replies, or sends commands alone."""
        verb = line.removesuffix(CRLF).partition(b" ")[0].decode("ascii", "replace").upper()
        self._commands_since_mail += 1
        if verb in _OTHER_PROTOCOLS:
            self.hang_up("421 4.7.0 This is a mail server, not a web server")
        elif self.pending:
            self.hang_up(AHEAD)
        elif self._commands_since_mail > self.limits.commands:
            self.hang_up("421 4.7.0 Too many commands without a mail")
        elif reply := malformed(verb, line) or _FIXED.get(verb):
            self.answer(reply)
        elif self._is_known(verb):
            self.forward(line, verb)
        else:
            self._refuse_unknown()

    def _is_known(self, verb: str) -> bool:
        has_tls = self.tls_context is not None and self.session is not None and self.session.ssl is None
        return (
            verb in _VERBS or (verb == "AUTH" and self._endpoint.login is not None) or (verb == "STARTTLS" and has_tls)
        )

    def _refuse_unknown(self) -> None:
        self._unknown_commands += 1
        if self._unknown_commands >= self.limits.unknown_commands:
            self.hang_up("421 4.7.0 Too many unknown commands")
        else:
            self.answer("500 5.5.1 The command is unknown")

    async def handle_EHLO(
        self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, replies: list[str]
    ) -> list[str]:
        """Offers no HELP, and a login only where there is one."""
        session.host_name = hostname
        offered = [reply for reply in replies[:-1] if self._endpoint.login or not reply.startswith("250-AUTH")]
        return [*offered[:-1], offered[-1].replace("-", " ", 1)]

    async def check_auth_needed(self, caller_method: str) -> bool:
        """aiosmtpd's own check wants TLS everywhere."""
        if self._endpoint.login is None or (self.session is not None and self.session.authenticated):
            return False
        await self.push("530 5.7.0 Log in first (AUTH)")
        return True

    async def smtp_AUTH(self, arg: str | None) -> None:
        """Takes the mechanism in any case; ends the session after too many wrong passwords."""
        mechanism, blank, rest = (arg or "").partition(" ")
        await super().smtp_AUTH(mechanism.upper() + blank + rest)
        if self._failed_logins >= self.limits.failed_logins:
            self.hang_up("421 4.7.0 Too many failed logins")

    def _logged_in(self, _s: SMTP, session: Session, _e: Envelope, _mechanism: str, given: LoginPassword) -> AuthResult:
        user, password = self._endpoint.login or ("", "")
        is_known = _same(given.login, user) & _same(given.password, password) & (self._endpoint.login is not None)
        if not is_known:
            self._failed_logins += 1
            log.warning("login_failed", peer=str(session.peer[0]) if session.peer else None)
        return AuthResult(success=is_known, handled=False)

    async def smtp_MAIL(self, arg: str | None) -> None:
        self._path, checked = paths.split(arg)
        await super().smtp_MAIL(checked)

    async def handle_MAIL(
        self, _server: SMTP, _session: Session, envelope: Envelope, _: str, options: list[str]
    ) -> str:
        if self._path is None:
            return paths.MALFORMED
        envelope.mail_from = paths.sender(self._path)
        envelope.mail_options.extend(options)
        return "553 5.1.7 The sender's address is not valid" if envelope.mail_from is None else "250 2.1.0 OK"

    async def smtp_RCPT(self, arg: str | None) -> None:
        self._path, checked = paths.split(arg)
        await super().smtp_RCPT(checked)

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, _: str, _options: list[str]
    ) -> str:
        """Counts repeated recipients, too."""
        if self._path is None:
            return paths.MALFORMED
        recipient = paths.recipient(self._path)
        if recipient is None:
            return "553 5.1.3 The recipient's address is not valid"
        if len(envelope.rcpt_tos) >= self.limits.recipients:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(recipient)
        return "250 2.1.5 OK"

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """The reply to a whole message: what aiosmtpd has of it is empty."""
        assert self.message is not None
        content = self.message.content()
        if self.message.refusal is not None:
            log.warning("mail_refused", bytes=len(content), reason=self.message.refusal)
            return self.message.refusal
        self._commands_since_mail = 0
        sender = "" if envelope.mail_from == paths.NO_PATH else str(envelope.mail_from)
        return await self._submit(Submission(sender, tuple(dict.fromkeys(envelope.rcpt_tos)), content))

    async def smtp_QUIT(self, arg: str | None) -> None:
        self.hang_up(BYE)


def malformed(verb: str, line: bytes) -> str | None:
    """The reply to a malformed line; None: it is well-formed."""
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


def _same(given: bytes, wanted: str) -> bool:
    """In constant time, also for different lengths."""
    hashed = (hashlib.sha256(value).digest() for value in (given, wanted.encode()))
    return hmac.compare_digest(*hashed)
