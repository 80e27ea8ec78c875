"""A published key set (RFC 7517): cached, read again for an unknown key, kept while its source is unavailable."""

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from chassis.auth.claims import IdentityUnavailable

MAX_BYTES = 256 * 1024
MAX_KEYS = 100
log = logging.getLogger(__name__)

Jwk = Mapping[str, Any]


class KeySource(Protocol):
    """The source of public keys, by key id. The id None means the only key of a set of one."""

    def known(self, kid: str | None) -> Jwk | None:
        """The key, if it is known without waiting."""
        ...

    async def find(self, kid: str | None) -> Jwk | None:
        """The key; asks the source if needed. Raises IdentityUnavailable if no set was ever read."""
        ...

    async def aclose(self) -> None:
        """Releases connections."""
        ...


class FixedKeys:
    """A key set that does not change."""

    def __init__(self, keys: Mapping[str, Any]) -> None:
        self._keys = _by_id(keys)

    def known(self, kid: str | None) -> Jwk | None:
        """The key of that id."""
        return _pick(self._keys, kid)

    async def find(self, kid: str | None) -> Jwk | None:
        """The same, because there is no source to ask."""
        return self.known(kid)

    async def aclose(self) -> None:
        """Does nothing."""


class RemoteKeys:
    """Reads the set at most once per `refetch_s`, for all who wait; after `ttl_s` again, in the background."""

    def __init__(
        self,
        url: str,
        *,
        ttl_s: float = 300.0,
        refetch_s: float = 10.0,
        timeout_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        import httpx  # megabytes: only a set behind a URL pays for it

        self._url = url
        self._ttl_s, self._refetch_s, self._timeout_s = ttl_s, refetch_s, timeout_s
        self._clock = clock
        self._client = httpx.AsyncClient(trust_env=False, timeout=timeout_s, limits=httpx.Limits(max_connections=1))
        self._keys: dict[str | None, Jwk] = {}
        self._read_at = self._asked_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None

    def known(self, kid: str | None) -> Jwk | None:
        """The key, if the set is younger than `ttl_s`."""
        return _pick(self._keys, kid) if self._clock() - self._read_at < self._ttl_s else None

    async def find(self, kid: str | None) -> Jwk | None:
        """The key of that id. Reads the set again if the key is unknown."""
        key = _pick(self._keys, kid)
        if self.known(kid) is None and self._may_ask():
            reading = self._read_once()
            if key is None:
                await asyncio.shield(reading)
        elif key is None and self._reading is not None:
            await asyncio.shield(self._reading)
        if not self._keys:
            raise IdentityUnavailable(f"no key set has been read from {self._url} yet")
        return _pick(self._keys, kid)

    def _may_ask(self) -> bool:
        pause_s = self._refetch_s if self._keys else min(self._refetch_s, 1.0)
        return self._reading is None and self._clock() - self._asked_at >= pause_s

    def _read_once(self) -> asyncio.Task[None]:
        self._asked_at = self._clock()
        self._reading = asyncio.create_task(self._read())
        return self._reading

    async def _read(self) -> None:
        import httpx

        try:
            async with asyncio.timeout(self._timeout_s):
                body = await self._fetch()
            self._keys = _by_id(json.loads(body))
            self._read_at = self._clock()
        except (httpx.HTTPError, TimeoutError, ValueError, TypeError, RecursionError) as error:
            log.warning(
                "key set %s cannot be read, the last good one stays: %s", self._url, error or type(error).__name__
            )
        finally:
            self._reading = None

    async def _fetch(self) -> bytes:
        body = b""
        async with self._client.stream("GET", self._url, headers={"Accept": "application/json"}) as response:
            response.raise_for_status()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > MAX_BYTES:
                    raise ValueError(f"more than {MAX_BYTES} bytes")
        return body

    async def aclose(self) -> None:
        """Cancels a read in progress and closes the connection."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._client.aclose()


def _by_id(document: Any) -> dict[str | None, Jwk]:
    """Signature keys by id. Raises ValueError if the document is not a key set or has no usable key."""
    keys = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(keys, list):
        raise ValueError('wanted a JSON object with "keys"')
    usable = [key for key in keys[:MAX_KEYS] if isinstance(key, dict) and _verifies(key)]
    if not usable:
        raise ValueError("not one public signature key in it")
    return {key["kid"] if isinstance(key.get("kid"), str) else None: key for key in usable}


def _verifies(key: Jwk) -> bool:
    """Excludes shared secrets (`oct`): whoever reads a published one could sign tokens."""
    return key.get("kty") in ("EC", "RSA", "OKP") and key.get("use", "sig") == "sig"


def _pick(keys: dict[str | None, Jwk], kid: str | None) -> Jwk | None:
    if kid is None and len(keys) == 1:
        return next(iter(keys.values()))
    return keys.get(kid)
