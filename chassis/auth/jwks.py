"""A published key set (RFC 7517): cached, read again for an unknown key, kept while its source is unavailable."""

import asyncio
import contextlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Protocol

from joserfc.jwk import Key

from chassis.auth.claims import IdentityUnavailable
from chassis.auth.jwt import TokenRejected, import_key
from chassis.auth.limited_body import read_limited

MAX_BYTES = 256 * 1024
MAX_KEYS = 100
MAX_WAITING = 1_000
"""Tokens with an unknown key that may wait for the set at once."""
log = logging.getLogger(__name__)

Jwk = Mapping[str, Any]


class KeySource(Protocol):
    """The source of public keys, by key id. The id None means the only key of a set of one."""

    def known(self, kid: str | None) -> Key | None:
        """The key, if it is known without waiting."""
        ...

    async def find(self, kid: str | None) -> Key | None:
        """The key; asks the source if needed. Raises IdentityUnavailable if the source cannot tell now."""
        ...

    async def aclose(self) -> None:
        """Releases connections."""
        ...


class FixedKeys:
    """A key set that does not change."""

    def __init__(self, keys: Mapping[str, Any]) -> None:
        self._keys = _by_id(keys)

    def known(self, kid: str | None) -> Key | None:
        """The key of that id."""
        return _pick(self._keys, kid)

    async def find(self, kid: str | None) -> Key | None:
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
        refetch_s: float = 2.0,
        timeout_s: float = 5.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        import httpx  # megabytes: only a set behind a URL pays for it

        self._url = url
        self._ttl_s, self._refetch_s, self._timeout_s = ttl_s, refetch_s, timeout_s
        self._clock = clock
        self._client = httpx.AsyncClient(trust_env=False, timeout=timeout_s, limits=httpx.Limits(max_connections=1))
        self._keys: dict[str | None, Key] = {}
        self._read_at = self._asked_at = float("-inf")
        self._reading: asyncio.Task[None] | None = None
        self._waiting = 0
        self._failed = False
        """The last read did."""

    def known(self, kid: str | None) -> Key | None:
        """The key, if the set is younger than `ttl_s`."""
        return _pick(self._keys, kid) if self._clock() - self._read_at < self._ttl_s else None

    async def find(self, kid: str | None) -> Key | None:
        """The key of that id. Waits until the set has been read again if the key is unknown: it may be a new one."""
        key = _pick(self._keys, kid)
        if key is None:
            return await self._find_unknown(kid)
        if self.known(kid) is None and self._reading is None and self._pause_s() == 0:
            self._begin()
        return key

    async def _find_unknown(self, kid: str | None) -> Key | None:
        """What a read brings that was under way already may be older than the key: then there is a second one."""
        if self._waiting >= MAX_WAITING:
            raise IdentityUnavailable(f"{MAX_WAITING} tokens are waiting for the key set {self._url}")
        self._waiting += 1
        try:
            arrived = self._clock()
            await asyncio.shield(self._reading or self._begin())
            if self._asked_at < arrived and _pick(self._keys, kid) is None:
                await asyncio.shield(self._reading or self._begin())
        finally:
            self._waiting -= 1
        key = _pick(self._keys, kid)
        if key is None and self._failed:
            known = "an unknown key may be a new one" if self._keys else "none has been read yet"
            raise IdentityUnavailable(f"the key set {self._url} cannot be read, and {known}")
        return key

    def _pause_s(self) -> float:
        """How long the source is to be left alone."""
        pause_s = self._refetch_s if self._keys else min(self._refetch_s, 1.0)
        return max(0.0, self._asked_at + pause_s - self._clock())

    def _begin(self) -> asyncio.Task[None]:
        self._reading = asyncio.create_task(self._read(self._pause_s()))
        return self._reading

    async def _read(self, pause_s: float) -> None:
        import httpx

        try:
            if pause_s:
                await asyncio.sleep(pause_s)
            self._asked_at = self._clock()
            async with asyncio.timeout(self._timeout_s):
                body = await self._fetch()
            self._keys = _by_id(json.loads(body))
            self._read_at = self._clock()
            self._failed = False
        except (httpx.HTTPError, TimeoutError, ValueError, TypeError, RecursionError) as error:
            self._failed = True
            log.warning(
                "key set %s cannot be read, the last good one stays: %s", self._url, error or type(error).__name__
            )
        finally:
            self._reading = None

    async def _fetch(self) -> bytes:
        async with self._client.stream("GET", self._url, headers={"Accept": "application/json"}) as response:
            response.raise_for_status()
            return await read_limited(response.aiter_bytes(), MAX_BYTES)

    async def aclose(self) -> None:
        """Cancels a read in progress and closes the connection."""
        if self._reading is not None:
            self._reading.cancel()
            await asyncio.gather(self._reading, return_exceptions=True)
        await self._client.aclose()


def _by_id(document: Any) -> dict[str | None, Key]:
    """Signature keys by id. Raises ValueError if the document is not a key set or has no usable key."""
    keys = document.get("keys") if isinstance(document, Mapping) else None
    if not isinstance(keys, list):
        raise ValueError('wanted a JSON object with "keys"')
    usable: dict[str | None, Key] = {}
    for jwk in keys[:MAX_KEYS]:
        if isinstance(jwk, dict) and _verifies(jwk):
            with contextlib.suppress(TokenRejected):  # tokens of such a key are of an unknown one
                usable[jwk["kid"] if isinstance(jwk.get("kid"), str) else None] = import_key(jwk)
    if not usable:
        raise ValueError("not one public signature key in it")
    return usable


def _verifies(key: Jwk) -> bool:
    """Excludes shared secrets (`oct`): whoever reads a published one could sign tokens."""
    return key.get("kty") in ("EC", "RSA", "OKP") and key.get("use", "sig") == "sig"


def _pick(keys: dict[str | None, Key], kid: str | None) -> Key | None:
    if kid is None and len(keys) == 1:
        return next(iter(keys.values()))
    return keys.get(kid)
