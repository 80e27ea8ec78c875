"""Logins, tokens and refusals as values (contract §3)."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Login:
    """What an identity (the exact text given at sign-up) leads to. `secret`: bcrypt's hash of the password."""

    user_id: str
    subject_id: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A live access token. `expires_at`: with time zone. Without `refresh_token` the user has to log in again."""

    access_token: str = field(repr=False)
    expires_at: datetime
    refresh_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class ServerTokens:
    """What the identity server issues at a log-in or refresh."""

    access_token: str = field(repr=False)
    refresh_token: str | None = field(repr=False)


class LoginRefusal(StrEnum):
    """Why nobody is logged in; the values are the monolith's words."""

    UNKNOWN = "subject not found"
    INVALID = "secret is invalid"


class LoginResult(StrEnum):
    """What became of an attempt. `limited`: refused without a look at the password."""

    LOGGED_IN = "logged_in"
    UNKNOWN = "unknown"
    INVALID = "invalid"
    LIMITED = "limited"
