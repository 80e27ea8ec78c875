"""Who a request is from, as far as its credential tells: the values that gateway, plugins and services share."""

from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

Fields = Sequence[tuple[bytes, bytes]]
"""Header fields in the order received: (name as sent, value without surrounding white space)."""


class AuthenticationOutcome(StrEnum):
    """What became of the credential: there was none, it was refused, or it names a user."""

    MISSING = "missing"
    REJECTED = "rejected"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Identity:
    """The caller. `subject` is set for a user alone; `credential` is a digest of what was sent (a cache key)."""

    outcome: AuthenticationOutcome
    subject: str | None = None
    roles: tuple[str, ...] = ()
    expires_at: float | None = None
    credential: bytes = b""


NOBODY = Identity(AuthenticationOutcome.MISSING)


class IdentityUnavailable(Exception):
    """The identity cannot be established now: its store or authority is away."""


class IdentityProvider(Protocol):
    """Establishes who a request is from; `identity:` in routes.yaml names one."""

    def identify(self, fields: Fields) -> Identity | Awaitable[Identity]:
        """The verified signature suffices. Plain value when known at once, else an awaitable."""
        ...

    def confirm(self, identity: Identity, fields: Fields) -> Identity | Awaitable[Identity]:
        """The live state (token row, roles), before a service acts on it. Raises IdentityUnavailable."""
        ...

    async def aclose(self) -> None:
        """Releases what the provider holds."""
        ...
