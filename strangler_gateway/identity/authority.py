"""Who is calling, as the provider of the current table says; and the confirmed callers that rest on it."""

import asyncio
from collections.abc import Awaitable
from typing import Final, Protocol

from chassis.auth.claims import AuthenticationOutcome, Fields, Identity, IdentityProvider
from strangler_gateway.exchange.outcome import DeferredStep
from strangler_gateway.identity.grants import Grants, refusal
from strangler_gateway.identity.providers import open_provider
from strangler_gateway.table.routes import Auth, IdentityRules

TIMEOUT_S = 5.0
_USER: Final = AuthenticationOutcome.USER


class HasFields(Protocol):
    """A request, whose fields are only looked at where they are needed."""

    @property
    def fields(self) -> Fields: ...


class Authority:
    """One per process. `provider` is None where routes.yaml names none. A provider that was replaced is closed last."""

    def __init__(self, rules: IdentityRules) -> None:
        self._rules = rules
        self.provider = open_provider(rules)
        self.grants = Grants()
        self._replaced: list[IdentityProvider] = []

    def adopt(self, rules: IdentityRules) -> None:
        """Opens another provider where the rules have changed. Raises IdentityRulesInvalid; the old one stays then."""
        if rules == self._rules:
            return
        provider = open_provider(rules)
        if self.provider is not None:
            self._replaced.append(self.provider)
        self._rules, self.provider, self.grants = rules, provider, Grants()

    def confirm(self, asked: Identity, request: HasFields, auth: Auth) -> Identity | Awaitable[Identity]:
        """The caller as the live state knows it, at most 5 s old; read anew where the older one would be refused."""
        provider, grants = self.provider, self.grants
        if provider is None or asked.outcome is not _USER:
            return asked
        known = grants.get(asked)
        if known is not None and refusal(auth, known) is None:
            return known
        asked_at = grants.now()
        answer = provider.confirm(asked, request.fields)
        if not isinstance(answer, Identity):
            return DeferredStep(answer, lambda: _confirmed(grants, asked, answer, asked_at))
        grants.put(asked, answer, asked_at)
        return answer

    async def aclose(self) -> None:
        """Closes all providers."""
        for provider in (*self._replaced, self.provider):
            if provider is not None:
                await provider.aclose()


async def _confirmed(grants: Grants, asked: Identity, answer: Awaitable[Identity], asked_at: float) -> Identity:
    async with asyncio.timeout(TIMEOUT_S):
        confirmed = await answer
    grants.put(asked, confirmed, asked_at)
    return confirmed
