"""Who sent a request, according to its credential: the values that gateway, plugins and services share."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

Fields = Sequence[tuple[bytes, bytes]]
"""Header fields in the order received: (name as sent, value without surrounding white space)."""

CLIENT_ADDRESS: Final = b"X-Strangler-Client-Address"
CLIENT_CREDENTIAL: Final = b"X-Strangler-Client-Credential"
"""What the gateway passes on to a service where a route says so: believe them only beside a valid internal token."""


class AuthenticationOutcome(StrEnum):
    """The result of checking the credential: there was none, it was rejected, or it names a user."""

    MISSING = "missing"
    REJECTED = "rejected"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller. Only a user has a `subject`. `credential` is a digest of what was sent (a cache key)."""

    outcome: AuthenticationOutcome
    subject: str | None = None
    roles: tuple[str, ...] = ()
    expires_at: float | None = None
    credential: bytes = b""


NOBODY = Identity(AuthenticationOutcome.MISSING)


class TokenRejected(Exception):
    """The token is not accepted. The message tells why and never shows the token."""


class IdentityUnavailable(Exception):
    """The identity cannot be established now, because its store or authority does not answer."""


class IdentityProvider(Protocol):
    """Establishes who sent a request. `identity:` in routes.yaml names a provider."""

    def identify(self, fields: Fields) -> Identity | Awaitable[Identity]:
        """Verifies the credential. Returns a plain value if it is known at once, else an awaitable."""
        ...

    def confirm(self, identity: Identity, fields: Fields) -> Identity | Awaitable[Identity]:
        """Reads the current state (token row, roles) before a service acts on it. Raises IdentityUnavailable."""
        ...

    async def aclose(self) -> None:
        """Releases connections."""
        ...
