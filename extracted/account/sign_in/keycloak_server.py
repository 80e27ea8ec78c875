"""Keycloak behind the ports of sign-in and sessions: with a breaker, so that nobody waits long for one that is away."""

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable
from typing import Final, Protocol, TypeVar

import structlog

from chassis import deadline
from chassis.auth.claims import IdentityUnavailable
from chassis.breaker import Breaker, BreakerLimits
from chassis.ttl_cache import TtlCache
from extracted.account.sign_in.domain import ServerTokens
from extracted.identity_server.domain import IdentityServerAway, IdentityServerRefused, UserTokens

log = structlog.get_logger("account.sign_in")

T = TypeVar("T")

LIMITS: Final = BreakerLimits(failures=3, first_s=1.0, longest_s=10.0)
LIVE_S: Final = 5.0
"""How long an answer about a token is believed."""
MAX_TOKENS: Final = 10_000


class UserDirectory(Protocol):
    """What is asked of extracted/identity_server/keycloak.py, whose library only a process with Keycloak loads."""

    async def log_in(self, user_name: str, password: str) -> UserTokens | None: ...
    async def put(self, user_name: str, password: str) -> bool: ...
    async def refresh(self, refresh_token: str) -> UserTokens | None: ...
    async def end_session(self, session_id: str) -> None: ...
    async def is_active(self, access_token: str) -> bool: ...
    async def aclose(self) -> None: ...


class KeycloakServer:
    """Implements the ports IdentityServer and Activity."""

    def __init__(self, users: UserDirectory, clock: Callable[[], float] = time.monotonic) -> None:
        self._users, self._clock = users, clock
        self._breaker = Breaker(LIMITS)
        self._refreshing: dict[bytes, asyncio.Future[UserTokens | None]] = {}
        self._active: TtlCache[str, bool] = TtlCache(MAX_TOKENS)

    async def log_in(self, user_id: str, secret: str) -> ServerTokens | None:
        """A direct grant (RFC 6749 §4.3)."""
        return _tokens(await self._ask(lambda: self._users.log_in(user_id, secret)))

    async def put_user(self, user_id: str, secret: str) -> bool:
        """By its administration API."""
        return await self._ask(lambda: self._users.put(user_id, secret))

    async def refresh(self, refresh_token: str) -> ServerTokens | None:
        """RFC 6749 §6. Keycloak ends a session whose refresh token comes twice, so two tabs at once are one request."""
        digest = hashlib.sha256(refresh_token.encode(errors="replace")).digest()
        asking = self._refreshing.get(digest)
        if asking is None:
            asking = asyncio.ensure_future(self._ask(lambda: self._users.refresh(refresh_token)))
            self._refreshing[digest] = asking
            asking.add_done_callback(lambda _done: self._refreshing.pop(digest))
        return _tokens(await asyncio.shield(asking))

    async def end_session(self, session_id: str) -> None:
        """By its administration API."""
        await self._ask(lambda: self._users.end_session(session_id))

    async def is_active(self, token: bytes, digest: str) -> bool:
        """RFC 7662, asked at most every 5 s for a token."""
        known = self._active.get(digest, self._clock())
        if known is not None:
            return known
        try:
            active = await self._ask(lambda: self._users.is_active(token.decode("ascii")))
        except IdentityUnavailable as error:
            log.info("token_not_introspected", reason=str(error))
            return True
        self._active.put(digest, active, self._clock() + LIVE_S)
        return active

    async def aclose(self) -> None:
        """Closes the connections."""
        await self._users.aclose()

    async def _ask(self, call: Callable[[], Awaitable[T]]) -> T:
        """A refusal of the call itself (wrong secret of a client, a password against the policy) is no user's fault."""
        if self._breaker.ask(self._clock()) > 0:
            raise IdentityUnavailable("it was away a moment ago")
        try:
            deadline.begin()
            answer = await call()
        except IdentityServerAway as error:
            self._breaker.failed(self._clock())
            raise IdentityUnavailable(str(error)) from error
        except IdentityServerRefused as error:
            self._breaker.succeeded()
            raise IdentityUnavailable(f"it refuses to do that: {error}") from error
        except BaseException:
            self._breaker.put_back()
            raise
        self._breaker.succeeded()
        return answer


def _tokens(tokens: UserTokens | None) -> ServerTokens | None:
    return None if tokens is None else ServerTokens(tokens.access_token, tokens.refresh_token)
