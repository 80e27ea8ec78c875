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
MAX_USERS = 20_000
_USER: Final = AuthenticationOutcome.USER
_MISSING: Final = AuthenticationOutcome.MISSING

Question = tuple[Fields, bytes, tuple[IdentitySource, ...]]
"""The request's fields, its one Authorization line (else empty), and who is asked."""


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
        return self._ask((fields, line, self.sources), 0, NOBODY, None)

    def _ask(
        self, question: Question, first: int, found: Identity, failed: Exception | None
    ) -> Identified | Awaitable[Identified]:
        """From the `first` source on; `found` and `failed` are of those before it."""
        fields, _, sources = question
        for number in range(first, len(sources)):
            try:
                answer = sources[number].provider.identify(fields)
            except Exception as error:
                failed = error
                continue
            if not isinstance(answer, Identity):
                return DeferredStep(answer, partial(self._wait, question, number, answer, found, failed))
            if answer.outcome is _USER:
                return self._decided(question, number, answer, failed)
            if answer.outcome is not _MISSING:
                found = answer
        if failed is not None:
            raise failed
        return found, None

    async def _wait(
        self, question: Question, number: int, waiting: Awaitable[Identity], found: Identity, failed: Exception | None
    ) -> Identified:
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await waiting
        except Exception as error:
            failed = error
        else:
            if answer.outcome is _USER:
                return self._decided(question, number, answer, failed)
            if answer.outcome is not _MISSING:
                found = answer
        rest = self._ask(question, number + 1, found, failed)
        return rest if isinstance(rest, tuple) else await rest

    def _decided(self, question: Question, number: int, user: Identity, failed: Exception | None) -> Identified:
        """That source knows the user. It is remembered where all that were asked look at Authorization alone, and what
        they say lasts; one that is away may know the user the next time.
        """
        _, line, sources = question
        known, until = (user, sources[number].provider), user.expires_at
        if failed is not None:
            self._throttle.warn("identity", failed)
        elif line and until is not None and all(one.lasting and one.by_authorization for one in sources[: number + 1]):
            self._users.put(hashlib.sha256(line).digest(), (sources, known), until)
        return known

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


async def _confirmed(grants: Grants, asked: Identity, answer: Awaitable[Identity], asked_at: float) -> Identity:
    async with asyncio.timeout(TIMEOUT_S):
        confirmed = await answer
    grants.put(asked, confirmed, asked_at)
    return confirmed
