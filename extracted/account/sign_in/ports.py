"""What log-in needs from outside. Everything raises StoreUnavailable."""

from typing import Protocol

from extracted.account.sign_in.domain import IssuedToken, Login, ServerTokens


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


class IdentityServer(Protocol):
    """Keycloak. A user's name there is the user's id. Everything raises IdentityUnavailable while it is away."""

    async def log_in(self, user_id: str, secret: str) -> ServerTokens | None:
        """None: it knows no such user, or another password, or has locked or disabled the user."""
        ...

    async def put_user(self, user_id: str, secret: str) -> bool:
        """Creates the user; or, if there is one, sets the password and ends a lock. False: the user is disabled."""
        ...

    async def refresh(self, refresh_token: str) -> ServerTokens | None:
        """None: the token is not good, or no longer."""
        ...

    async def end_session(self, session_id: str) -> None:
        """Does nothing if there is no such session."""
        ...


class MovedUsers(Protocol):
    """Who has moved to the identity server. Nobody moves back."""

    async def has(self, user_id: str) -> bool:
        """Whether the identity server was given this user's password."""
        ...

    async def add(self, user_id: str) -> None:
        """Again: nothing changes."""
        ...
