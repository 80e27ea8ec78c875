"""The called service's side of client credentials: whose token it is, and whether it is meant for this service."""

import hashlib
import time
from collections.abc import Callable, Collection
from typing import Final

from chassis.auth.jwks import KeySource
from chassis.auth.jwt import Checks, TokenRejected
from chassis.auth.signed_tokens import SignedTokens
from chassis.ttl_cache import TtlCache

ALGORITHMS: Final = ("RS256",)
LEEWAY_S: Final = 5
MAX_TOKENS: Final = 1_000
_SCHEME: Final = b"bearer "


class ClientTokens:
    """Implements CallerCheck. `audience`: this service; `callers`: the clients that may call it (`azp`).

    A token for several services is refused: one of them could use it here. So is a user's, which has a session.
    """

    def __init__(
        self,
        keys: KeySource,
        *,
        issuer: str,
        audience: str,
        callers: Collection[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._tokens = SignedTokens(keys, Checks(ALGORITHMS, issuer, audience, LEEWAY_S, tuple(callers), "Bearer"))
        self._audience = audience
        self._clock = clock
        self._verified: TtlCache[bytes, bool] = TtlCache(MAX_TOKENS)

    async def refusal(self, authorization: bytes) -> str | None:
        """Why the caller may not call, without its token. Raises IdentityUnavailable if no key set was ever read."""
        scheme, token = authorization[: len(_SCHEME)], authorization[len(_SCHEME) :].strip()
        if scheme.lower() != _SCHEME:
            return "no bearer token"
        try:
            await self._verify(token)
        except TokenRejected as error:
            return str(error)
        return None

    async def aclose(self) -> None:
        """Closes the connection to the key set."""
        await self._tokens.aclose()

    async def _verify(self, token: bytes) -> None:
        digest, now = hashlib.sha256(token).digest(), self._clock()
        if self._verified.get(digest, now):
            return
        claims = await self._tokens.claims(token, now)
        if claims["aud"] not in (self._audience, [self._audience]):
            raise TokenRejected("meant for other services, too")
        if "sid" in claims:
            raise TokenRejected("a user's token: it has a session")
        self._verified.put(digest, True, claims["exp"])
