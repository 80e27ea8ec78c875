"""What the SMTP ingress is told, what it needs of others, and what it takes in."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from extracted.mailer.domain import Mail, Raw
from extracted.mailer.loopback import is_loopback

MEBIBYTE = 1024 * 1024


class IngressUnsafe(Exception):
    """The settings would let a password travel in plain text; the message says what to do."""


class Store(Protocol):
    """Where mails are kept; the service's intake is one."""

    async def raw(self, key_of: Mapping[str, str], raw: Raw) -> Sequence[Mail]:
        """`key_of`: recipient → key; one row each, all or none; a key that is there gives its row.

        Raises StoreUnavailable.
        """
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, counts, seconds. `buffered`: of all messages together that are on their way in.

    `commands`: in a row without a mail taken. `idle_s`: for one command line and its answer; `data_s`: for the whole
    message; `session_s`: for a connection, but a message that is under way is finished. `hold_s`: how long the reply
    to a message waits for a store that is away. `grace_s`: for messages under way when the process stops.
    """

    size: int = 10 * MEBIBYTE
    buffered: int = 64 * MEBIBYTE
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


@dataclass(frozen=True, slots=True)
class Listening:
    """Where, to whom and how. Port 0: a free one. Without `user` nobody has to log in.

    `tls`: for STARTTLS. `allows_plain`: a login without TLS is taken, though others than this machine may listen.
    """

    host: str
    port: int
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = None
    allows_plain: bool = False
    name: str = "mailer"
    limits: Limits = Limits()

    def __post_init__(self) -> None:
        if (self.user is None) != (self.password is None):
            raise IngressUnsafe("the ingress has a user or a password, but not both; set both or none")
        if self.user is not None and self.tls is None and not self.takes_plain_logins:
            raise IngressUnsafe(
                f"the ingress at {self.host} has a password, which would travel in plain text; listen on 127.0.0.1, "
                "give it a certificate, or allow plain logins explicitly"
            )

    @property
    def takes_plain_logins(self) -> bool:
        return self.allows_plain or is_loopback(self.host)


def tls_context(certificate: Path, key: Path) -> ssl.SSLContext:
    """Raises OSError (ssl.SSLError is one) or ValueError for files that cannot be used."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key, password="")  # None would ask for one at the terminal
    return context


@dataclass(frozen=True, slots=True)
class Letter:
    """What one DATA brought: addresses in canonical form, the content as it came. `sender` empty: none."""

    sender: str
    recipients: tuple[str, ...]
    content: bytes
