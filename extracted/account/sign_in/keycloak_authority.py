"""The identity port with Keycloak behind it: users move there one by one, at a log-in (docs/identity.md)."""

import uuid
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace

import structlog

from chassis.auth.claims import IdentityUnavailable
from chassis.auth.jwt import TokenRejected
from extracted.account.domain import Compat
from extracted.account.sessions.service import Sessions
from extracted.account.sign_in.domain import IssuedToken, Login, ServerTokens
from extracted.account.sign_in.ports import IdentityServer, MovedUsers, TokenAuthority

log = structlog.get_logger("account.sign_in")

Matches = Callable[[str, str], Awaitable[bool]]
"""Password, bcrypt hash → whether they belong together."""


@dataclass(frozen=True, slots=True)
class KeycloakAuthority:
    """Implements the port TokenAuthority. `tables`: the monolith's, which decide and issue while Keycloak is away.

    Nobody is refused because of Keycloak: not for a password that it does not know (changed on the monolith's side, or
    lost with its database), and not for attempts of others that locked the user there. A user whom an administrator
    has disabled there is refused.
    """

    server: IdentityServer
    moved: MovedUsers
    tables: TokenAuthority
    matches: Matches
    sessions: Sessions
    compat: Compat

    async def log_in(self, login: Login, secret: str) -> IssuedToken | None:
        """Of a user who has moved: one request to Keycloak, and no bcrypt, if the password is right there."""
        try:
            return await self._log_in(login, secret)
        except IdentityUnavailable as error:
            log.warning("identity_server_away", reason=str(error))
            return await self.tables.log_in(login, secret)

    async def refuse(self, secret: str) -> None:
        """As a wrong password: one request to Keycloak, one bcrypt."""
        await self._waste(secret)
        await self.tables.refuse(secret)

    async def refresh(self, refresh_token: str) -> IssuedToken | None:
        """Keycloak replaces the refresh token, and refuses it from then on. Raises IdentityUnavailable."""
        tokens = await self.server.refresh(refresh_token)
        if tokens is None:
            return None
        try:
            verified, _subject = await self.sessions.check(tokens.access_token.encode())
        except TokenRejected as error:
            log.info("refresh_refused", reason=str(error))
            return None
        return IssuedToken(tokens.access_token, verified.expires_at, tokens.refresh_token)

    async def revoke(self, access_token: str) -> bool:
        """First here, which counts on both sides at once; then at Keycloak, if it is there."""
        try:
            ended = await self.sessions.end(access_token.encode(errors="replace"))
        except TokenRejected:
            return await self.tables.revoke(access_token)
        if ended is None:
            return False
        try:
            await self.server.end_session(ended.session_id)
        except IdentityUnavailable as error:
            log.warning("session_ended_here_only", reason=str(error))
        return True

    async def _log_in(self, login: Login, secret: str) -> IssuedToken | None:
        has_moved = await self.moved.has(login.user_id)
        tokens = await self.server.log_in(login.user_id, secret) if has_moved else None
        if tokens is not None:
            return await self._issued(login, tokens)
        if not has_moved and self.compat is Compat.IMPROVED:
            await self._waste(secret)
        return await self._move(login, secret) if await self.matches(secret, login.secret) else None

    async def _move(self, login: Login, secret: str) -> IssuedToken | None:
        """Two at once do the same, so it does not matter who is first. None: the user is disabled in Keycloak."""
        if not await self.server.put_user(login.user_id, secret):
            log.info("user_disabled_at_identity_server", user_id=login.user_id)
            return None
        await self.moved.add(login.user_id)
        tokens = await self.server.log_in(login.user_id, secret)
        if tokens is None:
            raise IdentityUnavailable("it refuses a password that it was given a moment ago")
        return await self._issued(login, tokens)

    async def _issued(self, login: Login, tokens: ServerTokens) -> IssuedToken:
        """Only what this side will accept: a token of another issuer would lock the user out behind the gateway."""
        try:
            verified = await self.sessions.tokens.verify(tokens.access_token.encode())
        except TokenRejected as error:
            raise IdentityUnavailable(f"it issues tokens that cannot be accepted: {error}") from error
        if verified.user_id != login.user_id:
            raise IdentityUnavailable("it issued the token of another user")
        issued = IssuedToken(tokens.access_token, verified.expires_at, tokens.refresh_token)
        return replace(issued, refresh_token=None) if self.compat is Compat.STRICT else issued

    async def _waste(self, secret: str) -> None:
        """An attempt as nobody takes Keycloak as long as one as somebody."""
        with suppress(IdentityUnavailable):
            await self.server.log_in(str(uuid.uuid4()), secret)
