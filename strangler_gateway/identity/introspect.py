"""Identity provider `introspect`: the monolith is asked who a request is from."""

import hashlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Fields, Identity, IdentityUnavailable
from chassis.ttl_cache import TtlCache
from strangler_gateway.identity.json_source import OK, Headers, JsonSource
from strangler_gateway.identity.rules import (
    IdentityRulesInvalid,
    IntrospectOptions,
    cookies,
    field,
    roles_from,
    subject_from,
)
from strangler_gateway.identity.single_flight import SingleFlight
from strangler_gateway.table.json_path import parse_place, value_at

MAX_USERS = 10_000
REJECTED = Identity(AuthenticationOutcome.REJECTED)
_REFUSALS = frozenset({301, 302, 303, 307, 308, 401, 403})
"""A login page to go to, or the plain refusal. 404 is none: it is what a wrong URL answers to everybody."""
_NOT_FORWARDED = frozenset({b"host", b"connection", b"content-length", b"transfer-encoding", b"accept", b"upgrade"})


class IntrospectProvider:
    """Asks once for all who wait with the same credential; keeps users for `cache_s`, refusals not at all."""

    def __init__(self, options: IntrospectOptions, clock: Callable[[], float] = time.monotonic) -> None:
        self._cache_s = options.cache_s
        self._forward = _forwarded(options.forward)
        self._cookies = None if options.cookies is None else frozenset(name.encode() for name in options.cookies)
        self._user = parse_place(options.user)
        self._roles = parse_place(options.roles) if options.roles else None
        self._clock = clock
        self._users: TtlCache[bytes, Identity] = TtlCache(MAX_USERS)
        self._source = JsonSource(options.url, options.timeout_s)
        self._asking: SingleFlight[Identity] = SingleFlight(options.url)

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
        await self._asking.aclose()
        await self._source.aclose()

    def _credential(self, fields: Fields) -> Headers:
        return [(name, value) for name in self._forward if (value := self._value(fields, name))]

    def _value(self, fields: Fields, name: bytes) -> bytes | None:
        if name != b"cookie" or self._cookies is None:
            return field(fields, name)
        return b"; ".join(cookie + b"=" + value for cookie, value in cookies(fields) if cookie in self._cookies)

    async def _ask(self, headers: Headers, digest: bytes) -> Identity:
        return await self._asking.ask(digest, lambda: self._fetch(headers, digest))

    async def _fetch(self, headers: Headers, digest: bytes) -> Identity:
        identity = replace(self._read(*await self._source.ask(headers)), credential=digest)
        if identity.outcome is AuthenticationOutcome.USER:
            self._users.put(digest, identity, self._clock() + self._cache_s)
        else:
            self._users.drop(digest)
        return identity

    def _read(self, status: int, body: bytes) -> Identity:
        if status in _REFUSALS:
            return REJECTED
        if status != OK:
            raise IdentityUnavailable(
                f"{self._source.url} answered {status}; wanted 200, or 401 for a credential it refuses"
            )
        document = self._source.read(body)
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
