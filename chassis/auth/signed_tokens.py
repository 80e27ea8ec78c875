"""Verifies signed tokens by a published key set: the step that all verifiers share."""

from typing import Any

from chassis.auth.jwks import KeySource
from chassis.auth.jwt import Checks, TokenRejected, unverified_header, verify


class SignedTokens:
    """Tokens of one issuer."""

    def __init__(self, keys: KeySource, checks: Checks) -> None:
        self._keys = keys
        self._checks = checks

    async def claims(self, token: bytes, now: float) -> dict[str, Any]:
        """Raises TokenRejected, or IdentityUnavailable if no key set was ever read."""
        header = unverified_header(token)
        if header.algorithm not in self._checks.algorithms:
            raise TokenRejected("signed with another algorithm")
        key = self._keys.known(header.key_id)
        if key is None and (key := await self._keys.find(header.key_id)) is None:
            raise TokenRejected("signed with a key that the issuer does not publish")
        return verify(token, key, self._checks, now)

    async def aclose(self) -> None:
        """Closes the connection to the key set."""
        await self._keys.aclose()
