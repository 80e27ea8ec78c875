"""Who is calling, as the providers of the current table say; and the confirmed callers that rest on it."""

import asyncio
from collections.abc import Awaitable
from functools import partial
from typing import Final, Protocol

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Fields, Identity, IdentityProvider
from strangler_gateway.exchange.outcome import DeferredStep
from strangler_gateway.identity.grants import Grants, refusal
from strangler_gateway.identity.providers import IdentitySource, open_source
from strangler_gateway.identity.signer import Signer
from strangler_gateway.table.routes import Auth, IdentityRules
from strangler_gateway.telemetry.log_throttle import LogThrottle

TIMEOUT_S = 5.0
_USER: Final = AuthenticationOutcome.USER
_MISSING: Final = AuthenticationOutcome.MISSING

Identified = tuple[Identity, IdentityProvider | None]
"""The caller, and the provider that knows the user."""


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

    def identify(self, fields: Fields) -> Identified | Awaitable[Identified]:
        """The first provider that knows a user decides; else a refusal counts more than a missing credential.

        A provider that is away raises its error only where no other one knows a user.
        """
        found: Identity = NOBODY
        failed: Exception | None = None
        for number, source in enumerate(self.sources):
            try:
                answer = source.provider.identify(fields)
            except Exception as error:
                failed = error
                continue
            if not isinstance(answer, Identity):
                return DeferredStep(answer, partial(self._identify, fields, number, answer, found, failed))
            if answer.outcome is _USER:
                self._warn(failed)
                return answer, source.provider
            if answer.outcome is not _MISSING:
                found = answer
        if failed is not None:
            raise failed
        return found, None

    async def _identify(
        self, fields: Fields, first: int, waiting: Awaitable[Identity], found: Identity, failed: Exception | None
    ) -> Identified:
        """The same from a provider on that has to be waited for."""
        sources = self.sources[first:]
        for number, source in enumerate(sources):
            try:
                async with asyncio.timeout(TIMEOUT_S):
                    answer = await waiting if number == 0 else await _identified(source.provider, fields)
            except Exception as error:
                failed = error
                continue
            if answer.outcome is _USER:
                self._warn(failed)
                return answer, source.provider
            if answer.outcome is not _MISSING:
                found = answer
        if failed is not None:
            raise failed
        return found, None

    def _warn(self, failed: Exception | None) -> None:
        """Of a provider that is away, where another one could tell."""
        if failed is not None:
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


async def _identified(provider: IdentityProvider, fields: Fields) -> Identity:
    answer = provider.identify(fields)
    return answer if isinstance(answer, Identity) else await answer


async def _confirmed(grants: Grants, asked: Identity, answer: Awaitable[Identity], asked_at: float) -> Identity:
    async with asyncio.timeout(TIMEOUT_S):
        confirmed = await answer
    grants.put(asked, confirmed, asked_at)
    return confirmed
