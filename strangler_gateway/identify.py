"""Step: who is this, as far as bucket and limits need it? Nobody is asked for a group in legacy."""

import asyncio
import logging
from collections.abc import Awaitable
from typing import TYPE_CHECKING

from chassis.claims import Identity, IdentityUnavailable
from strangler_gateway.exchange import Exchange, Outcome
from strangler_gateway.routes import Route, State

if TYPE_CHECKING:
    from strangler_gateway.pipeline import Gateway

TIMEOUT_S = 5.0
log = logging.getLogger(__name__)
_LEGACY = State.LEGACY


def identify(gateway: "Gateway", x: Exchange) -> Outcome:
    """Sets x.identity, or x.identity_unavailable; None for both where nobody was asked."""
    provider = gateway.provider
    if provider is None or not _asked_for(x.route):
        return None
    try:
        answer = provider.identify(x.fields)
    except Exception as error:
        _unavailable(x, error)
        return None
    if isinstance(answer, Identity):
        x.identity = answer
        return None
    return _later(x, answer)


def _asked_for(route: Route) -> bool:
    return route.unit.state is not _LEGACY or (route.limit is not None and route.limit.by == "user")


async def _later(x: Exchange, answer: Awaitable[Identity]) -> None:
    try:
        async with asyncio.timeout(TIMEOUT_S):
            x.identity = await answer
    except Exception as error:
        _unavailable(x, error)


def _unavailable(x: Exchange, error: Exception) -> None:
    """A provider that breaks is one that is away: what the monolith can answer must not fail because of it."""
    x.identity_unavailable = True
    report(error)


def report(error: Exception) -> None:
    """Logs why nobody could be identified: a line for an expected cause, the stack for a fault of the provider."""
    if isinstance(error, IdentityUnavailable | TimeoutError):
        log.warning("identity unavailable: %s", error or type(error).__name__)
    else:
        log.error("identity provider failed", exc_info=error)
