"""Who is calling, as the providers of the current table say; and the confirmed callers that rest on it."""

import asyncio
import hashlib
from collections.abc import Awaitable
from functools import partial
from typing import Final, Protocol

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Fields, Identity, IdentityProvider
from chassis.ttl_cache import TtlCache
from strangler_gateway.exchange.head_memory import Identified
from strangler_gateway.exchange.outcome import DeferredStep
from strangler_gateway.identity.grants import Grants, refusal
from strangler_gateway.identity.providers import IdentitySource, open_source
from strangler_gateway.identity.signer import Signer
from strangler_gateway.table.routes import Auth, IdentityRules
from strangler_gateway.telemetry.log_throttle import LogThrottle

TIMEOUT_S = 5.0
MAX_USERS = 10_000
_USER: Final = AuthenticationOutcome.USER
_MISSING: Final = AuthenticationOutcome.MISSING


class IdentifiedRequest(Protocol):
    """A request whose caller was asked for."""

    @property
    def fields(self) -> Fields: ...
    @property
    def identity(self) -> Identity | None: ...
    @property
    def identified_by(self) -> IdentityProvider | None: ...


class Authority:
    """One per process. No `sources` where routes.yaml names no provider. What was replaced is closed last."""

    def __init__(self, rules: tuple[IdentityRules, ...], signer: Signer, throttle: LogThrottle) -> None:
        self._signer, self._throttle = signer, throttle
        self._replaced: list[IdentitySource] = []
        self.sources: tuple[IdentitySource, ...] = ()
        self._rules: tuple[IdentityRules, ...] = ()
        self._users: TtlCache[bytes, tuple[object, Identified]] = TtlCache(MAX_USERS)
        self.adopt(rules)

    def adopt(self, rules: tuple[IdentityRules, ...]) -> None:
        """Keeps the sources whose rules have not changed. Raises IdentityRulesInvalid; the old ones stay then."""
        if rules == self._rules:
            return
        old = list(self.sources)
        sources: list[IdentitySource] = []
        for one in rules:
            kept = next((source for source in old if source.rules == one), None)
            if kept is not None:
                old.remove(kept)
            else:
                kept = open_source(one, self._signer)
                self._replaced.append(kept)  # also where the next one cannot be opened
            sources.append(kept)
        self._replaced = [source for source in (*self._replaced, *old) if source not in sources]
        self._rules, self.sources = rules, tuple(sources)

    def known(self, line: bytes, now: float) -> Identified | None:
        """The user whom the sources know by that one Authorization line, while that lasts. `now`: Unix seconds."""
        found = self._users.get(hashlib.sha256(line).digest(), now)
        return found[1] if found is not None and found[0] is self.sources else None

    def identify(self, fields: Fields, line: bytes = b"") -> Identified | Awaitable[Identified]:
        """The first provider that knows a user decides; else a refusal counts more than a missing credential.

        `line`: the one Authorization of `fields`, by which a user is remembered. A provider that is away raises its
        error only where no other one knows a user.
        """
        return _Inquiry(self, fields, line).ask(0)

    def remember(self, line: bytes, sources: tuple[IdentitySource, ...], asked: int, known: Identified) -> None:
        """For `known`, where all `asked` of the sources look at Authorization alone, and what they say lasts."""
        until = known[0].expires_at
        if line and until is not None and all(one.lasting and one.by_authorization for one in sources[:asked]):
            self._users.put(hashlib.sha256(line).digest(), (sources, known), until)

    def warn(self, failed: Exception) -> None:
        """Of a provider that is away, where another one could tell."""
        self._throttle.warn("identity", failed)

    def confirm(self, request: IdentifiedRequest, auth: Auth) -> Identity | Awaitable[Identity]:
        """The caller as the live state knows it, at most 5 s old; read anew where the older one would be refused."""
        asked, provider = request.identity, request.identified_by
        if asked is None or asked.outcome is not _USER or provider is None:
            return asked or NOBODY
        grants = self._grants(provider)
        known = grants.get(asked)
        if known is not None and refusal(auth, known) is None:
            return known
        asked_at = grants.now()
        answer = provider.confirm(asked, request.fields)
        if not isinstance(answer, Identity):
            return DeferredStep(answer, lambda: _confirmed(grants, asked, answer, asked_at))
        grants.put(asked, answer, asked_at)
        return answer

    def _grants(self, provider: IdentityProvider) -> Grants:
        """None are kept of a provider that was replaced while the request was under way."""
        for source in self.sources:
            if source.provider is provider:
                return source.grants
        return Grants()

    async def aclose(self) -> None:
        """Closes all providers."""
        for source in (*self._replaced, *self.sources):
            await source.aclose()


class _Inquiry:
    """One request's question to all sources, in their order."""

    __slots__ = ("_authority", "_failed", "_fields", "_found", "_line", "_sources")

    def __init__(self, authority: Authority, fields: Fields, line: bytes) -> None:
        self._authority, self._sources, self._fields, self._line = authority, authority.sources, fields, line
        self._found = NOBODY
        self._failed: Exception | None = None

    def ask(self, first: int) -> Identified | Awaitable[Identified]:
        """From that source on."""
        for number, source in enumerate(self._sources[first:], first):
            try:
                answer = source.provider.identify(self._fields)
            except Exception as error:
                self._failed = error
                continue
            if not isinstance(answer, Identity):
                return DeferredStep(answer, partial(self._wait, number, answer))
            if self._is_decided(number, answer):
                return answer, source.provider
        if self._failed is not None:
            raise self._failed
        return self._found, None

    async def _wait(self, number: int, waiting: Awaitable[Identity]) -> Identified:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await waiting
        except Exception as error:
            self._failed = error
        else:
            if self._is_decided(number, answer):
                return answer, self._sources[number].provider
        rest = self.ask(number + 1)
        return rest if isinstance(rest, tuple) else await rest

    def _is_decided(self, number: int, answer: Identity) -> bool:
        """Whether the source knows the user."""
        if answer.outcome is not _USER:
            if answer.outcome is not _MISSING:
                self._found = answer
            return False
        if self._failed is not None:
            self._authority.warn(self._failed)
        else:
            known = answer, self._sources[number].provider
            self._authority.remember(self._line, self._sources, number + 1, known)
        return True


async def _confirmed(grants: Grants, asked: Identity, answer: Awaitable[Identity], asked_at: float) -> Identity:
    async with asyncio.timeout(TIMEOUT_S):
        confirmed = await answer
    grants.put(asked, confirmed, asked_at)
    return confirmed
