"""Checks what may be sent, stuffs dots, makes replies fit for rows and logs."""

import re
from typing import Final

from extracted.mailer.addresses import canonical
from extracted.mailer.domain import OutgoingMessage, Rejected
from extracted.mailer.ports import RequestInvalid

MAX_REPLY: Final = 1000
MAX_ADDRESS: Final = 320
_ADDRESS: Final = re.compile(
    r'(?:"(?:[^"\\\x00-\x1f\x7f]|\\[\x20-\x7e])*"|[^\s<>"@\x00-\x1f\x7f]+)@[^\s<>"@\x00-\x1f\x7f]+'
)


def unsendable(outgoing: OutgoingMessage) -> Rejected | None:
    """Refuses what would break the protocol; None: it may be sent.

    Some servers take a bare CR or LF for a line end, others do not: so a second mail could be smuggled inside the
    first. Replacing it would break signatures.
    """
    for verb, address in (("MAIL", outgoing.sender), ("RCPT", outgoing.recipient)):
        if not (address == "" and verb == "MAIL") and not is_address(address):
            return Rejected(553, "5.1.3 Mailer: the address cannot be used in SMTP", verb)
    try:
        canonical(outgoing.recipient)
    except RequestInvalid as fault:
        return Rejected(553, f"5.1.3 Mailer: {fault}", "RCPT")
    message = outgoing.message
    if not message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r"):
        return Rejected(554, "5.6.0 Mailer: the message has a bare CR or LF; lines must end with CR LF", "DATA")
    return None


def is_address(address: str) -> bool:
    """True: it cannot end its command or add a parameter."""
    return len(address) <= MAX_ADDRESS and _ADDRESS.fullmatch(address) is not None


def on_the_wire(message: bytes) -> bytes:
    """Stuffs dots (RFC 5321 section 4.5.2) and ends it with CRLF; changes nothing else."""
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"


def as_text(reply: str) -> str:
    """A server's reply as one bounded line that is safe for terminal, log and database."""
    joined = " / ".join(filter(None, (line.strip() for line in reply[: 4 * MAX_REPLY].splitlines())))
    if joined.isprintable():
        return joined[:MAX_REPLY]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in joined)[:MAX_REPLY]
