"""The use cases of sign-in."""

from collections import Counter
from dataclasses import dataclass, field

from extracted.account.attempts.service import CountedAttempt, LoginAttempts
from extracted.account.domain import Compat
from extracted.account.sign_in.domain import IssuedToken, Login, LoginRefusal, LoginResult
from extracted.account.sign_in.ports import LoginStore, TokenAuthority


@dataclass(frozen=True, slots=True)
class SignIn:
    """Users log in with the identity of their sign-up, whichever side served it."""

    logins: LoginStore
    authority: TokenAuthority
    attempts: LoginAttempts
    compat: Compat
    results: Counter[LoginResult] = field(default_factory=Counter)
    """How often each has happened."""

    async def log_in(self, identity: str, secret: str, address: str | None) -> IssuedToken | LoginRefusal:
        """Under `strict` answer and time tell who is unknown, as the monolith's do; under `improved` neither does.

        Who has failed too often is refused as for a wrong password, in answer and time. `address`: of the client, if
        it is known.
        """
        login = await self.logins.find(identity)
        attempt = await self.attempts.begin(login.user_id if login else None, address)
        if login is None:
            self.results[LoginResult.UNKNOWN] += 1
            return await self._unknown(secret)
        if attempt.refused is not None:
            self.results[LoginResult.LIMITED] += 1
            await self.authority.refuse(secret)
            return LoginRefusal.INVALID
        issued = await self._verified(login, secret, attempt)
        self.results[LoginResult.LOGGED_IN if issued else LoginResult.INVALID] += 1
        return issued or LoginRefusal.INVALID

    async def log_out(self, access_token: str) -> None:
        """Ends the session of the token; does nothing if there is none (RFC 7009 §2.2)."""
        await self.authority.revoke(access_token)

    async def _verified(self, login: Login, secret: str, attempt: CountedAttempt) -> IssuedToken | None:
        try:
            issued = await self.authority.log_in(login, secret)
        except Exception:  # nobody could tell whether the password is right
            await self.attempts.give_back(attempt)
            raise
        if issued is not None:
            self.attempts.succeeded(attempt)
        return issued

    async def _unknown(self, secret: str) -> LoginRefusal:
        if self.compat is Compat.STRICT:
            return LoginRefusal.UNKNOWN
        await self.authority.refuse(secret)
        return LoginRefusal.INVALID

    async def refresh(self, refresh_token: str) -> IssuedToken | None:
        """None: the token is not good, or no longer. Raises IdentityUnavailable while nobody can tell."""
        return await self.authority.refresh(refresh_token)
