"""What log-in needs from outside. Everything raises StoreUnavailable."""

from typing import Protocol

from extracted.account.sign_in.domain import IssuedToken, Login


class LoginStore(Protocol):
    """Where identities are stored."""

    async def find(self, identity: str) -> Login | None:
        """The login of this identity, in this case. None: there is none."""
        ...


class TokenAuthority(Protocol):
    """Who decides about passwords, and issues, renews and revokes tokens: the identity port."""

    async def log_in(self, login: Login, secret: str) -> IssuedToken | None:
        """Verifies the password in the way that suits the user, and issues a token. None: it is wrong."""
        ...

    async def refuse(self, secret: str) -> None:
        """Takes as long as `log_in` with a wrong password, so that time does not tell who exists."""
        ...

    async def refresh(self, refresh_token: str) -> IssuedToken | None:
        """A new token for a refresh token that this authority issued. None: it did not, or no longer accepts it."""
        ...

    async def revoke(self, access_token: str) -> bool:
        """Ends the session of a token, on both sides at once. False: this authority did not issue it, or it is over."""
        ...
