"""The use cases of sign-in."""

from dataclasses import dataclass

from extracted.account.domain import Compat
from extracted.account.sign_in.domain import IssuedToken, LoginRefusal
from extracted.account.sign_in.ports import LoginStore, TokenAuthority


@dataclass(frozen=True, slots=True)
class SignIn:
    """Users log in with the identity of their sign-up, whichever side served it."""

    logins: LoginStore
    authority: TokenAuthority
    compat: Compat

    async def log_in(self, identity: str, secret: str) -> IssuedToken | LoginRefusal:
        """Under `strict` answer and time tell who is unknown, as the monolith's do; under `improved` neither does."""
        login = await self.logins.find(identity)
        if login is None:
            return await self._unknown(secret)
        return await self.authority.log_in(login, secret) or LoginRefusal.INVALID

    async def _unknown(self, secret: str) -> LoginRefusal:
        if self.compat is Compat.STRICT:
            return LoginRefusal.UNKNOWN
        await self.authority.refuse(secret)
        return LoginRefusal.INVALID

    async def refresh(self, refresh_token: str) -> IssuedToken | None:
        """None: the token is not good, or no longer. Raises IdentityUnavailable while nobody can tell."""
        return await self.authority.refresh(refresh_token)
