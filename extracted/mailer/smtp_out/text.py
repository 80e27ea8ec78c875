"""Texts of SMTP: what may be sent, what a message looks like on the wire, replies that are fit for rows and logs."""

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
    """Refuses by ourselves what would break the protocol.

    A bare CR or LF is an end of line to some servers and none to others: a mail inside the mail could be smuggled past
    one of them. Replacing it would change what others have signed.
    """
    for verb, address in (("MAIL", outgoing.sender), ("RCPT", outgoing.recipient)):
        if not (address == "" and verb == "MAIL") and not is_address(address):
            return Rejected(553, "5.1.3 Mailer: this is no address that can be written in SMTP", verb)
    try:
        canonical(outgoing.recipient)
    except RequestInvalid as fault:
        return Rejected(553, f"5.1.3 Mailer: {fault}", "RCPT")
    message = outgoing.message
    if not message.count(b"\r\n") == message.count(b"\n") == message.count(b"\r"):
        return Rejected(554, "5.6.0 Mailer: the message has a bare CR or LF; wanted CRLF alone", "DATA")
    return None


def is_address(address: str) -> bool:
    """It cannot end the command that it stands in, nor add a parameter."""
    return len(address) <= MAX_ADDRESS and _ADDRESS.fullmatch(address) is not None


def on_the_wire(message: bytes) -> bytes:
    """With dots stuffed (RFC 5321 section 4.5.2); unchanged else, but that it ends with CRLF, as the protocol wants."""
    stuffed = message.replace(b"\r\n.", b"\r\n..")
    if stuffed.startswith(b"."):
        stuffed = b"." + stuffed
    return stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n"


def as_text(reply: str) -> str:
    """One line of what a server said: bounded, and without what could disturb a terminal, a log or a database."""
    joined = " / ".join(filter(None, (line.strip() for line in reply[: 4 * MAX_REPLY].splitlines())))
    if joined.isprintable():
        return joined[:MAX_REPLY]
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in joined)[:MAX_REPLY]
