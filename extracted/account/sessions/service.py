"""The use cases of sessions: is a token still good, and what is it worth at the monolith."""

from dataclasses import dataclass

from chassis.auth.jwt import TokenRejected
from extracted.account.domain import Compat
from extracted.account.sessions.domain import AnotherUser, ExchangedCredential, SessionToken, Subject
from extracted.account.sessions.ports import Activity, SessionStore, SessionVerifier, SubjectStore


@dataclass(frozen=True, slots=True)
class Sessions:
    """Raises TokenRejected if the token is not good, or no longer; IdentityUnavailable, StoreUnavailable."""

    tokens: SessionVerifier
    sessions: SessionStore
    subjects: SubjectStore
    activity: Activity
    compat: Compat

    async def check(self, token: bytes) -> tuple[SessionToken, Subject]:
        """The token and its user as of now. What costs least is checked first."""
        verified = await self.tokens.verify(token)
        if await self.sessions.has_ended(verified.session_id):
            raise TokenRejected("its session has ended")
        subject = await self.subjects.find(verified.user_id)
        if subject is None or not self._may_go_on(subject):
            raise TokenRejected("its user is deleted")
        if not await self.activity.is_active(token, verified.digest):
            raise TokenRejected("it does not count any more at the identity server")
        return verified, subject

    async def end(self, token: bytes) -> SessionToken | None:
        """Ends the token's session on both sides at once. None: it has ended before."""
        verified = await self.tokens.verify(token)
        if await self.sessions.has_ended(verified.session_id):
            return None
        await self.sessions.end(verified)
        return verified

    async def exchange(self, token: bytes, caller: str) -> ExchangedCredential:
        """`caller`: the user that somebody trusted has read from the same token. Raises AnotherUser."""
        verified = await self.tokens.verify(token)
        if verified.user_id != caller:
            raise AnotherUser("the token is another user's")
        verified, subject = await self.check(token)
        credential = await self.sessions.exchange(verified, subject)
        if credential is None:
            raise TokenRejected("its session has ended")
        return credential

    def _may_go_on(self, subject: Subject) -> bool:
        """Under `strict` a deleted user's token works on, as in the monolith (fault F12)."""
        return self.compat is Compat.STRICT or not subject.is_deleted
