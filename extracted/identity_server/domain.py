"""What callers of Keycloak see of it without its library."""

from dataclasses import dataclass, field


class IdentityServerAway(Exception):
    """Keycloak does not answer, or answers 5xx: what it would say is unknown."""


class IdentityServerRefused(Exception):
    """Keycloak refuses. `status`: of its answer; the message is its own and has no secret."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{message} ({status})")
        self.status = status


class ForeignRealm(Exception):
    """There is a realm of this name, and it is not ours."""


@dataclass(frozen=True, slots=True)
class Administrator:
    """Logs in at realm `master`."""

    user: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class ClientCredential:
    """A confidential client of a realm."""

    client_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class UserTokens:
    """What a log-in or a refresh brings."""

    access_token: str = field(repr=False)
    refresh_token: str = field(repr=False)
