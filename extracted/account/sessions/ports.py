"""What the use cases of sessions need from outside. Stores raise StoreUnavailable."""

from typing import Protocol

from extracted.account.sessions.domain import ExchangedCredential, SessionToken, Subject


class SessionVerifier(Protocol):
    """Tells whether the identity server has issued a token."""

    async def verify(self, token: bytes) -> SessionToken:
        """By signature, issuer, client, type and times. Raises TokenRejected, or IdentityUnavailable without keys."""
        ...


class SubjectStore(Protocol):
    """Where users and their roles are stored."""

    async def find(self, user_id: str) -> Subject | None:
        """None: there never was such a user."""
        ...


class SessionStore(Protocol):
    """Where ended sessions are stored, and what was exchanged for a session."""

    async def has_ended(self, session_id: str) -> bool:
        """Whether its user has logged out."""
        ...

    async def end(self, token: SessionToken) -> None:
        """Ends the session for good, with all that was exchanged for it, in one transaction. Again: nothing changes."""
        ...

    async def exchange(self, token: SessionToken, subject: Subject) -> ExchangedCredential | None:
        """The same for the same token, however often and from wherever it is asked. None: the session has ended."""
        ...


class Activity(Protocol):
    """Asks the identity server whether a token still counts there."""

    async def is_active(self, token: bytes, digest: str) -> bool:
        """False: its user is disabled or gone there, or its session is over. True also while nobody can be asked."""
        ...
