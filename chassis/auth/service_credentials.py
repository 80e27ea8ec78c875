"""The calling service's side: what it sends to another service to prove who it is."""

import asyncio
import base64
import json
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol
from urllib.parse import quote_plus

from chassis.auth.limited_body import read_limited

if TYPE_CHECKING:
    import httpx

MAX_BYTES: Final = 64 * 1024
PAUSE_S: Final = 1.0
"""Between two questions for a token."""
LONGEST_S: Final = 3600.0
"""A token is renewed within an hour, whatever the identity server says of its lifetime."""
UNTOLD_S: Final = 60.0
"""The lifetime of a token if the identity server does not tell it."""
RENEWED_AT: Final = 0.7
EXPIRED_AT: Final = 0.95
"""Parts of the lifetime: when a new token is asked for, and until when the old one is used."""
log = logging.getLogger(__name__)


class CredentialUnavailable(Exception):
    """There is no credential now. The message says why and has no secret."""


class ServiceCredential(Protocol):
    """Proves to another service who calls."""

    async def authorization(self) -> str:
        """The value of the field Authorization. Raises CredentialUnavailable."""
        ...

    def refused(self, authorization: str) -> bool:
        """Tells that the other service did not take it (401). True: another one may work, ask once more."""
        ...

    async def aclose(self) -> None:
        """Releases connections."""
        ...


class SharedToken:
    """A token that both services have in their settings."""

    def __init__(self, token: str) -> None:
        self._authorization = f"Bearer {token}"

    async def authorization(self) -> str:
        """Always the same."""
        return self._authorization

    def refused(self, _authorization: str) -> bool:
        """There is no other."""
        return False

    async def aclose(self) -> None:
        """Does nothing."""


@dataclass(frozen=True, slots=True)
class OAuthClient:
    """Where a client gets its tokens, and how it proves who it is there."""

    token_url: str
    client_id: str
    secret: str = field(repr=False)

    @property
    def basic(self) -> str:
        """RFC 6749 §2.3.1."""
        pair = f"{quote_plus(self.client_id)}:{quote_plus(self.secret)}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


@dataclass(frozen=True, slots=True)
class _AccessToken:
    """Times are the clock's. The lifetime is counted from before the question, so it ends early rather than late."""

    authorization: str
    asked_at: float
    lifetime_s: float

    def is_due(self, now: float) -> bool:
        return now >= self.asked_at + self.lifetime_s * RENEWED_AT

    def is_usable(self, now: float) -> bool:
        return now < self.asked_at + self.lifetime_s * EXPIRED_AT


class ClientCredentials:
    """The client credentials grant (RFC 6749 §4.4): one token at a time, renewed in the background before it expires.

    While the identity server is away, the token is used to its end.
    """

    def __init__(
        self,
        client: OAuthClient,
        *,
        timeout_s: float = 3.0,
        clock: Callable[[], float] = time.monotonic,
        transport: "httpx.AsyncBaseTransport | None" = None,
    ) -> None:
        import httpx  # megabytes: only who has an identity server pays for it

        self._client = client
        self._timeout_s = timeout_s
        self._clock = clock
        limits = httpx.Limits(max_connections=1)
        self._http = httpx.AsyncClient(trust_env=False, timeout=timeout_s, limits=limits, transport=transport)
        self._token: _AccessToken | None = None
        self._asking: asyncio.Task[None] | None = None
        self._asked_at = float("-inf")
        self._failure = "not asked yet"

    async def authorization(self) -> str:
        """Waits only if there is no token. Raises CredentialUnavailable, at once for PAUSE_S after a failure."""
        now = self._clock()
        token = self._token
        if token is None or not token.is_usable(now):
            self._ask(now)
            if self._asking is not None:
                await asyncio.shield(self._asking)
            token = self._token
            if token is None or not token.is_usable(self._clock()):
                raise CredentialUnavailable(f"no token for {self._client.client_id}: {self._failure}")
        elif token.is_due(now):
            self._ask(now)
        return token.authorization

    def refused(self, authorization: str) -> bool:
        """Drops the token: its key may be gone. False where it is new."""
        token = self._token
        if token is None or token.authorization != authorization:
            return True
        if self._clock() < token.asked_at + PAUSE_S:
            return False
        self._token = None
        return True

    async def aclose(self) -> None:
        """Ends a question under way and closes the connection."""
        if self._asking is not None:
            self._asking.cancel()
            await asyncio.gather(self._asking, return_exceptions=True)
        await self._http.aclose()

    def _ask(self, now: float) -> None:
        """At most one question at a time, with a pause after it."""
        if self._asking is None and now >= self._asked_at + PAUSE_S:
            self._asked_at = now
            self._asking = asyncio.create_task(self._renew(now))

    async def _renew(self, now: float) -> None:
        import httpx

        try:
            async with asyncio.timeout(self._timeout_s):
                self._token = _parsed(*await self._fetch(), now)
        except (httpx.HTTPError, TimeoutError, ValueError, RecursionError) as error:
            self._failure = str(error) or type(error).__name__
            log.warning("no new token for %s: %s", self._client.client_id, self._failure)
        finally:
            self._asking = None

    async def _fetch(self) -> tuple[int, bytes]:
        headers = {"Authorization": self._client.basic, "Accept": "application/json"}
        form = {"grant_type": "client_credentials"}
        async with self._http.stream("POST", self._client.token_url, data=form, headers=headers) as response:
            return response.status_code, await read_limited(response.aiter_bytes(), MAX_BYTES)


def _parsed(status: int, body: bytes, now: float) -> _AccessToken:
    """Raises ValueError, without anything of a token."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    match answer:
        case {"access_token": str(token), "token_type": str(kind), **more} if status == 200 and _is_token(token):
            if kind.lower() == "bearer":
                return _AccessToken(f"Bearer {token}", now, _lifetime_s(more.get("expires_in")))
        case {"error": str(word)}:
            raise ValueError(f"the identity server refuses: {word[:40]} ({status})")
    raise ValueError(f"the identity server's answer holds no token ({status})")


def _is_token(text: str) -> bool:
    """Whether a header field can carry it."""
    return text.isascii() and text.isprintable() and " " not in text


def _lifetime_s(told: object) -> float:
    is_number = isinstance(told, int | float) and not isinstance(told, bool)
    return min(max(float(told), 0.0), LONGEST_S) if is_number else UNTOLD_S  # type: ignore[arg-type]
