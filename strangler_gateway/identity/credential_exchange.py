"""The monolith's own credential for a token that it does not know: asked for once, kept until it expires.

`POST url` with the gateway's internal token (the caller, for `audience`) and `{"token": …}`; the answer is
`{"credential": …, "expiresAt": Unix seconds}`. 403 refuses the token; whatever else comes is no answer.
"""

import time
from collections.abc import Callable

from chassis.auth.claims import Identity, IdentityUnavailable
from chassis.ttl_cache import TtlCache
from strangler_gateway.identity.json_source import OK, JsonSource
from strangler_gateway.identity.rules import ExchangeOptions
from strangler_gateway.identity.signer import Signer
from strangler_gateway.identity.single_flight import SingleFlight

MAX_CREDENTIALS = 10_000
MAX_LENGTH = 16 * 1024
_REFUSED = 403


class CredentialExchange:
    """Of one provider. Keys are digests of tokens (`Identity.credential`)."""

    def __init__(self, options: ExchangeOptions, signer: Signer, clock: Callable[[], float] = time.time) -> None:
        self._audience = options.audience
        self._signer, self._clock = signer, clock
        self._source = JsonSource(options.url, options.timeout_s)
        self._asking: SingleFlight[bytes | None] = SingleFlight(options.url)
        self._known: TtlCache[bytes, bytes] = TtlCache(MAX_CREDENTIALS)

    def known(self, digest: bytes) -> bytes | None:
        """The credential, if it was asked for before and holds."""
        return self._known.get(digest, self._clock())

    def forget(self, digest: bytes) -> None:
        """The monolith has refused it: the next request asks again."""
        self._known.drop(digest)

    async def ask(self, user: Identity, token: bytes) -> bytes | None:
        """The credential of a verified token; None: the token is refused. Raises IdentityUnavailable."""
        return await self._asking.ask(user.credential, lambda: self._ask(user, token))

    async def _ask(self, user: Identity, token: bytes) -> bytes | None:
        proof = (b"authorization", b"Bearer " + self._signer.token(user, self._audience))
        status, body = await self._source.ask([proof], {"token": token.decode("ascii")})
        if status == _REFUSED:
            self._known.drop(user.credential)
            return None
        if status != OK:
            raise IdentityUnavailable(f"{self._source.url} answered {status}; wanted 200, or 403 for a refused token")
        credential, expires_at = self._read(body)
        until = expires_at if user.expires_at is None else min(expires_at, user.expires_at)
        self._known.put(user.credential, credential, until)
        return credential

    def _read(self, body: bytes) -> tuple[bytes, float]:
        document = self._source.read(body)
        found = document if isinstance(document, dict) else {}
        credential, expires_at = found.get("credential"), found.get("expiresAt")
        if not isinstance(credential, str) or not 0 < len(credential) <= MAX_LENGTH or not _is_visible(credential):
            raise IdentityUnavailable(f"{self._source.url} gave no credential that can stand in a header")
        if isinstance(expires_at, bool) or not isinstance(expires_at, int | float) or expires_at <= self._clock():
            raise IdentityUnavailable(f"{self._source.url} gave a credential without an end in the future")
        return credential.encode("ascii"), float(expires_at)

    async def aclose(self) -> None:
        """Ends what is being asked, and closes the connections."""
        await self._asking.aclose()
        await self._source.aclose()


def _is_visible(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text
