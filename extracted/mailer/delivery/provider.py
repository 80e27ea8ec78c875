"""The provider: where mails are handed over, and how long each step may take."""

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path


class TlsMode(StrEnum):
    """How a connection is encrypted; both kinds verify the certificate."""

    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


@dataclass(frozen=True, slots=True)
class Provider:
    """`user` None: no AUTH. `ca_file`: trusted instead of the system's authorities. `name`: what EHLO says."""

    host: str
    port: int
    tls: TlsMode = TlsMode.NONE
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    name: str = "localhost"


@dataclass(frozen=True, slots=True)
class SmtpTimeouts:
    """Seconds. `connect_s`: each step up to AUTH (all of them: three times that). `command_s`: MAIL, RCPT, DATA.

    `data_s`: to transmit the message. `dot_s`: until the reply to it; RFC 5321 section 4.5.3.2.6 asks for ten minutes,
    and a shorter time makes slow mails ambiguous. `idle_s`: until an unused connection is closed.
    """

    connect_s: float = 30.0
    command_s: float = 60.0
    data_s: float = 120.0
    dot_s: float = 600.0
    idle_s: float = 30.0

    @property
    def opening_s(self) -> float:
        """Everything up to AUTH."""
        return 3 * self.connect_s

    @property
    def total_s(self) -> float:
        """The longest for one mail: RSET and MAIL on a used connection that fails, then all of it on a new one."""
        return self.opening_s + 5 * self.command_s + self.data_s + self.dot_s


SMTP_TIMEOUTS = SmtpTimeouts()


class NotHandedOver(asyncio.CancelledError):
    """Cancelled before the end of the message was sent: the provider does not have the mail."""
