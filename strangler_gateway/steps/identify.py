"""Step: who is this, as far as bucket and limits need it? Nobody is asked for a group in legacy."""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from chassis.auth.claims import Identity
from strangler_gateway.exchange.exchange import Exchange, Later, Outcome
from strangler_gateway.table.routes import MigrationState, Route

if TYPE_CHECKING:
    from strangler_gateway.steps.pipeline import Gateway

TIMEOUT_S = 5.0
_LEGACY = MigrationState.LEGACY


def identify(gateway: "Gateway", x: Exchange) -> Outcome:
    """Sets x.identity, or x.identity_unavailable; None for both where nobody was asked."""
    provider = gateway.provider
    if provider is None or not _asked_for(x.route):
        return None
    known = x.head.known
    if known is not None and known[0] is provider and known[1].expires_at > gateway.wall():
        x.identity = known[1]
        return None
    try:
        answer = provider.identify(x.fields)
    except Exception as error:
        _unavailable(gateway, x, error)
        return None
    if isinstance(answer, Identity):
        x.identity = answer
        if answer.expires_at is not None and getattr(provider, "lasting", False):
            x.head.known = provider, answer
        return None
    return Later(answer, lambda: _later(gateway, x, answer))


def _asked_for(route: Route) -> bool:
    return route.movable.state is not _LEGACY or (route.limit is not None and route.limit.by == "user")


async def _later(gateway: "Gateway", x: Exchange, answer: Awaitable[Identity]) -> None:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            x.identity = await answer
    except Exception as error:
        _unavailable(gateway, x, error)


def _unavailable(gateway: "Gateway", x: Exchange, error: Exception) -> None:
    """A provider that breaks is one that is away: what the monolith can answer must not fail because of it."""
    x.identity_unavailable = True
    gateway.complaints.about("identity", error)
