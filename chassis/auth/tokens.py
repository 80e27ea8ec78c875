"""Verifies the gateway's internal token in a service, offline, and tells who calls."""

import hashlib
import time
from collections.abc import Callable, Mapping
from typing import Any

from chassis.auth.claims import AuthenticationOutcome, Identity
from chassis.auth.jwks import FixedKeys, KeySource, RemoteKeys
from chassis.auth.jwt import Checks, TokenRejected
from chassis.auth.signed_tokens import SignedTokens
from chassis.ttl_cache import TtlCache

__all__ = ["TokenRejected", "TokenVerifier"]

ISSUER = "strangler"
ALGORITHMS = ("ES256",)
LEEWAY_S = 5
MAX_TOKENS = 10_000


class TokenVerifier:
    """Verifies tokens for one service (`audience`: its name in routes.yaml), and caches verified ones."""

    def __init__(
        self,
        audience: str,
        issuer: str = ISSUER,
        *,
        jwks_url: str | None = None,
        jwks: Mapping[str, Any] | None = None,
        keys: KeySource | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        checks = Checks(ALGORITHMS, issuer, audience, LEEWAY_S)
        self._tokens = SignedTokens(keys or _source(jwks_url, jwks), checks)
        self._clock = clock
        self._verified: TtlCache[bytes, Identity] = TtlCache(MAX_TOKENS)

    async def verify(self, token: bytes) -> Identity:
        """Who calls. Raises TokenRejected, or IdentityUnavailable if no key set was ever read."""
        digest = hashlib.sha256(token).digest()
        now = self._clock()
        identity = self._verified.get(digest, now)
        if identity is None:
            identity = _identity(await self._tokens.claims(token, now), digest)
            self._verified.put(digest, identity, identity.expires_at or now)
        return identity

    async def aclose(self) -> None:
        """Closes the connection to the key set."""
        await self._tokens.aclose()


def _source(url: str | None, jwks: Mapping[str, Any] | None) -> KeySource:
    if jwks is not None:
        return FixedKeys(jwks)
    if url is None:
        raise ValueError("a TokenVerifier needs jwks_url or jwks")
    return RemoteKeys(url)


def _identity(claims: dict[str, Any], digest: bytes) -> Identity:
    subject, roles = claims.get("sub"), claims.get("roles", [])
    try:
        outcome = AuthenticationOutcome(claims["outcome"])
    except (KeyError, ValueError, TypeError):
        raise TokenRejected("its outcome must be missing, rejected or user") from None
    if (outcome is AuthenticationOutcome.USER) != (isinstance(subject, str) and subject != ""):
        raise TokenRejected(f"outcome {outcome} and subject do not go together")
    if not isinstance(roles, list) or not all(isinstance(role, str) for role in roles):
        raise TokenRejected("its roles are not a list of names")
    return Identity(outcome, subject, tuple(roles), float(claims["exp"]), digest)
