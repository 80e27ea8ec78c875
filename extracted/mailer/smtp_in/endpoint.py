"""Where the ingress listens, who may log in, and its limits."""

import ssl
from dataclasses import dataclass, field

from extracted.mailer.loopback import is_loopback


class IngressUnsafe(Exception):
    """The settings would let a password travel in plain text; the message says what to do."""


@dataclass(frozen=True, slots=True)
class IngressLimits:
    """Bytes, counts, seconds. `buffered`: bytes of all messages that are being received.

    `commands`: in a row without a mail. `idle_s`: for one command line, and for its reply. `data_s`: for a whole
    message. `session_s`: for a connection; a message under way is finished. `hold_s`: how long the reply to a message
    waits for a store that is away. `grace_s`: for messages under way when the process stops.
    """

    size: int = 10 * 1024 * 1024
    buffered: int = 64 * 1024 * 1024
    recipients: int = 100
    connections: int = 100
    commands: int = 150
    unknown_commands: int = 5
    failed_logins: int = 3
    idle_s: float = 60
    data_s: float = 120
    session_s: float = 300
    hold_s: float = 20
    retry_s: float = 0.5
    store_s: float = 15
    grace_s: float = 20

    @property
    def message_reply_s(self) -> float:
        """The longest until a message is stored and its reply is read."""
        return self.hold_s + self.store_s + self.idle_s


@dataclass(frozen=True, slots=True)
class IngressEndpoint:
    """Port 0: a free one. `login`: user and password, where one is needed. `tls`: for STARTTLS."""

    host: str
    port: int
    login: tuple[str, str] | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    allows_plain: bool = False
    name: str = "mailer"
    limits: IngressLimits = IngressLimits()

    def __post_init__(self) -> None:
        if self.login is not None and self.tls is None and not self.takes_plain_logins:
            raise IngressUnsafe(
                f"the ingress at {self.host} has a password, which would travel in plain text; listen on 127.0.0.1, "
                "give it a certificate, or allow plain logins explicitly"
            )

    @property
    def is_open_relay(self) -> bool:
        """Another machine that reaches the port can send mail without a login."""
        return self.login is None and not is_loopback(self.host)

    @property
    def takes_plain_logins(self) -> bool:
        """A password may travel without TLS."""
        return self.allows_plain or is_loopback(self.host)
