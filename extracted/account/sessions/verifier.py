"""Verifies access tokens of Keycloak offline, by its published keys (RFC 7519, RFC 8725)."""

import hashlib
import time
from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime
from typing import Any, Final

from chassis.auth.jwks import KeySource
from chassis.auth.jwt import Checks, TokenRejected, unverified_header
from chassis.auth.signed_tokens import SignedTokens
from chassis.ttl_cache import TtlCache
from chassis.uuid_text import canonical_uuid
from extracted.account.sessions.domain import SessionToken

ALGORITHMS: Final = ("RS256",)
LEEWAY_S: Final = 5
MAX_TOKENS: Final = 10_000
MAX_SESSION_ID: Final = 255
LAST_SECOND: Final = 253402300799
"""The end of the year 9999: datetime knows no later time."""


class KeycloakTokens:
    """Implements the port SessionVerifier; it verifies each valid token once. `clients`: who may have obtained a token.

    Keycloak writes no audience into the tokens of its web clients, so `azp` is compared instead.
    """

    def __init__(
        self, keys: KeySource, issuer: str, clients: Collection[str], clock: Callable[[], float] = time.time
    ) -> None:
        self._tokens = SignedTokens(keys, Checks(ALGORITHMS, issuer, None, LEEWAY_S, tuple(clients), "Bearer"))
        self._clock = clock
        self._verified: TtlCache[str, SessionToken] = TtlCache(MAX_TOKENS)

    async def verify(self, token: bytes) -> SessionToken:
        """Raises TokenRejected, or IdentityUnavailable if no key set was ever read."""
        digest, now = hashlib.sha256(token).hexdigest(), self._clock()
        known = self._verified.get(digest, now)
        if known is not None:
            return known
        verified = _read(await self._claims(token, now), digest)
        self._verified.put(digest, verified, verified.expires_at.timestamp())
        return verified

    async def aclose(self) -> None:
        """Closes the connection to the key set."""
        await self._tokens.aclose()

    async def _claims(self, token: bytes, now: float) -> Mapping[str, Any]:
        if unverified_header(token).key_id is None:
            raise TokenRejected("the identity server always names its key")
        return await self._tokens.claims(token, now)


def _read(claims: Mapping[str, Any], digest: str) -> SessionToken:
    """A client's own token names no user and no session."""
    return SessionToken(
        user_id=_user(claims.get("preferred_username")),
        session_id=_session(claims.get("sid")),
        digest=digest,
        issued_at=_time(claims.get("iat")),
        expires_at=_time(claims["exp"]),
    )


def _user(name: object) -> str:
    """Keycloak's user name is the monolith's user id, in its one spelling."""
    if not isinstance(name, str) or canonical_uuid(name) != name:
        raise TokenRejected("its preferred_username is no user's id")
    return name


def _session(sid: object) -> str:
    if not isinstance(sid, str) or not 0 < len(sid) <= MAX_SESSION_ID or not sid.isascii() or not sid.isprintable():
        raise TokenRejected("its sid names no session")
    return sid


def _time(seconds: object) -> datetime:
    if type(seconds) is not int or not 0 <= seconds <= LAST_SECOND:
        raise TokenRejected("its times are not whole seconds")
    return datetime.fromtimestamp(seconds, UTC)
