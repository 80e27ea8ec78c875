"""What each command does to an envelope: aiosmtpd's hooks, under aiosmtpd's names."""

import re
from typing import Final

from aiosmtpd.smtp import SMTP, Envelope, Session

from extracted.mailer.smtp_in.connection import House
from extracted.mailer.smtp_in.values import Letter

NO_PATH: Final = "<>"
_PARAMETERS: Final = r"(?:[ ]+([!-~]+(?:[ ]+[!-~]+)*))?"
_PATH: Final = re.compile(r'<((?:"(?:[^"\\]|\\.)*"|[^<>"\s])*)>' + _PARAMETERS)
_ODD_PATH: Final = re.compile(r"<([^<>\x00-\x1f\x7f-\x9f]*@[^<>\x00-\x1f\x7f-\x9f]*)>" + _PARAMETERS)
_MAX_ODD: Final = 400
"""Octets; the longest that the monolith takes from a user has 319."""


def path(argument: str) -> tuple[str | None, str | None]:
    """Of `<path>` and its parameters; None: it is none. No comments, no source routes, nothing folded."""
    found = _PATH.fullmatch(argument) or _ODD_PATH.fullmatch(argument)
    return (found[1] or NO_PATH, found[2] or "") if found else (None, None)


def odd(text: str) -> str | None:
    """What is no address, but may be what a user gave as one: refused, it would end the monolith (C11)."""
    return text if "@" in text and len(text.encode()) <= _MAX_ODD else None


def letter(envelope: Envelope, content: bytes) -> Letter:
    """Each recipient once."""
    sender = str(envelope.mail_from)
    return Letter("" if sender == NO_PATH else sender, tuple(dict.fromkeys(envelope.rcpt_tos)), content)


class Commands:
    """For all sessions of a house."""

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
        """Counts repeated ones, too. What is no address is taken, and fails when it would be sent."""
        recipient = self._house.address(address) or odd(address)
        if recipient is None:
            return "553 5.1.3 The recipient's address is none"
        if len(envelope.rcpt_tos) >= self._house.listening.limits.recipients:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(recipient)
        return "250 2.1.5 OK"
