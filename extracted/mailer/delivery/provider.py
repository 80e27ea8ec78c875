"""Where mails are handed over, and how long each step of it may take."""

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
    """`user` None: without AUTH. `ca_file`: trusted instead of the system's authorities. `name`: of ours, to EHLO."""

    host: str
    port: int
    tls: TlsMode = TlsMode.NONE
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    ca_file: Path | None = None
    name: str = "localhost"


@dataclass(frozen=True, slots=True)
class SmtpTimeouts:
    """Seconds. `connect_s`: each step until AUTH is done, three times that for all. `command_s`: MAIL, RCPT, DATA.

    `data_s`: handing over the message. `dot_s`: the answer to all of it (RFC 5321 section 4.5.3.2.6 asks for ten
    minutes: giving up earlier makes a mail ambiguous that was only slow). `idle_s`: a connection that nobody uses.
    """

    connect_s: float = 30.0
    command_s: float = 60.0
    data_s: float = 120.0
    dot_s: float = 600.0
    idle_s: float = 30.0

    @property
    def opening_s(self) -> float:
        """All until AUTH is done."""
        return 3 * self.connect_s

    @property
    def total_s(self) -> float:
        """No mail takes longer: RSET and MAIL in vain on a used connection, then all of it on a new one."""
        return self.opening_s + 5 * self.command_s + self.data_s + self.dot_s


SMTP_TIMEOUTS = SmtpTimeouts()


class NotHandedOver(asyncio.CancelledError):
    """Cancelled before the end of the message had left: the provider has no mail."""
