"""Identity provider `introspect`: the monolith is asked who a request is from."""

import asyncio
import hashlib
import json
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Fields, Identity, IdentityUnavailable
from chassis.ttl_cache import TtlCache
from strangler_gateway.identity.rules import (
    IdentityRulesInvalid,
    IntrospectOptions,
    cookies,
    field,
    roles_from,
    subject_from,
)
from strangler_gateway.table.json_path import parse_place, value_at

MAX_BYTES = 64 * 1024
MAX_USERS = 10_000
MAX_WAITING = 1_000
MAX_CONNECTIONS = 32
REJECTED = Identity(AuthenticationOutcome.REJECTED)
_REFUSALS = frozenset({301, 302, 303, 307, 308, 401, 403})
"""A login page to go to, or the plain refusal. 404 is none: it is what a wrong URL answers to everybody."""
_NOT_FORWARDED = frozenset({b"host", b"connection", b"content-length", b"transfer-encoding", b"accept", b"upgrade"})

Headers = list[tuple[bytes, bytes]]


class IntrospectProvider:
    """Asks once for all who wait with the same credential; keeps users for `cache_s`, refusals not at all."""

    def __init__(self, options: IntrospectOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._url, self._cache_s, self._timeout_s = options.url, options.cache_s, options.timeout_s
        self._forward = _forwarded(options.forward)
        self._cookies = None if options.cookies is None else frozenset(name.encode() for name in options.cookies)
        self._user = parse_place(options.user)
        self._roles = parse_place(options.roles) if options.roles else None
        self._clock = clock
        self._users: TtlCache[bytes, Identity] = TtlCache(MAX_USERS)
        self._asking: dict[bytes, asyncio.Task[Identity]] = {}
        self._client = httpx.AsyncClient(
            trust_env=False,
            timeout=options.timeout_s,
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS),
            cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
        )

    def identify(self, fields: Fields) -> Identity | Awaitable[Identity]:
        """At once where there is no credential, or its user is known; else the answer to wait for."""
        headers = self._credential(fields)
        if not headers:
            return NOBODY
        digest = _digest(headers)
        known = self._users.get(digest, self._clock())
        return known if known is not None else self._ask(headers, digest)

    def confirm(self, identity: Identity, fields: Fields) -> Awaitable[Identity]:
        """What the monolith says now."""
        headers = self._credential(fields)
        return self._ask(headers, _digest(headers))

    async def aclose(self) -> None:
        """Ends what is being asked, and closes the connections."""
        asking = list(self._asking.values())
        for task in asking:
            task.cancel()
        await asyncio.gather(*asking, return_exceptions=True)
        await self._client.aclose()

    def _credential(self, fields: Fields) -> Headers:
        return [(name, value) for name in self._forward if (value := self._value(fields, name))]

    def _value(self, fields: Fields, name: bytes) -> bytes | None:
        if name != b"cookie" or self._cookies is None:
            return field(fields, name)
        return b"; ".join(cookie + b"=" + value for cookie, value in cookies(fields) if cookie in self._cookies)

    async def _ask(self, headers: Headers, digest: bytes) -> Identity:
        task = self._asking.get(digest)
        if task is None:
            if len(self._asking) >= MAX_WAITING:
                raise IdentityUnavailable(f"{MAX_WAITING} credentials are waiting for {self._url}")
            task = self._asking[digest] = asyncio.create_task(self._fetch(headers, digest))
            task.add_done_callback(lambda done: self._asked(digest, done))
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise IdentityUnavailable("the provider is closing") from None
            raise

    def _asked(self, digest: bytes, done: asyncio.Task[Identity]) -> None:
        self._asking.pop(digest, None)
        if not done.cancelled():
            done.exception()  # looked at, also where everybody who waited has left

    async def _fetch(self, headers: Headers, digest: bytes) -> Identity:
        try:
            async with asyncio.timeout(self._timeout_s):
                status, body = await self._get([*headers, (b"accept", b"application/json")])
        except (httpx.HTTPError, TimeoutError, RuntimeError) as error:
            raise IdentityUnavailable(f"{self._url} gave no usable answer: {type(error).__name__}") from error
        identity = replace(self._read(status, body), credential=digest)
        if identity.outcome is AuthenticationOutcome.USER:
            self._users.put(digest, identity, self._clock() + self._cache_s)
        else:
            self._users.drop(digest)
        return identity

    async def _get(self, headers: Headers) -> tuple[int, bytes]:
        body = b""
        async with self._client.stream("GET", self._url, headers=headers) as response:
            if response.status_code == httpx.codes.OK:
                async for chunk in response.aiter_bytes():
                    body += chunk
                    if len(body) > MAX_BYTES:
                        raise IdentityUnavailable(f"{self._url} answered more than {MAX_BYTES} bytes")
            return response.status_code, body

    def _read(self, status: int, body: bytes) -> Identity:
        if status in _REFUSALS:
            return REJECTED
        if status != httpx.codes.OK:
            raise IdentityUnavailable(f"{self._url} answered {status}; wanted 200, or 401 for a credential it refuses")
        try:
            document = json.loads(body)
        except (ValueError, RecursionError):
            raise IdentityUnavailable(f"{self._url} answered 200 without JSON; is it the right URL?") from None
        subject = subject_from(value_at(document, self._user))
        if subject is None:
            return REJECTED
        return Identity(
            AuthenticationOutcome.USER, subject, roles_from(value_at(document, self._roles)) if self._roles else ()
        )


def _forwarded(names: list[str]) -> list[bytes]:
    lower = [name.lower().encode() for name in names]
    odd = sorted(name.decode() for name in _NOT_FORWARDED.intersection(lower))
    if odd or not lower:
        raise IdentityRulesInvalid(f"identity introspect: forward {odd or 'nothing'}; wanted headers with a credential")
    return lower


def _digest(headers: Headers) -> bytes:
    digest = hashlib.sha256()
    for name, value in headers:
        digest.update(b"%s:%d:%s\n" % (name, len(value), value))
    return digest.digest()
