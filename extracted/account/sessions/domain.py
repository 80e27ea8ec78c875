"""An access token of the identity server, its user, and the monolith's token that it is exchanged for."""

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class SessionToken:
    """What a verified access token says. `digest`: its SHA-256 in hex. Times have a zone.

    `session_id` is the identity server's `sid`: all tokens of one log-in share it, and a log-out ends it.
    """

    user_id: str
    session_id: str
    digest: str
    issued_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Subject:
    """A user as the tables know it now. `is_deleted`: its subject and roles are still there (fault F12)."""

    user_id: str
    subject_id: str
    roles: tuple[str, ...]
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class ExchangedCredential:
    """The monolith's access token for the user of a session."""

    credential: str = field(repr=False)
    expires_at: datetime


class AnotherUser(Exception):
    """The token belongs to another user than the caller speaks for."""
