"""Step: who is this, as far as bucket and limits need it? Nobody is asked for a group in legacy."""

from collections.abc import Awaitable, Callable
from typing import Final

from chassis.auth.claims import Identity, IdentityProvider
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import DeferredStep, Outcome
from strangler_gateway.identity.authority import Authority, Identified
from strangler_gateway.identity.providers import IdentitySource
from strangler_gateway.table.routes import MigrationState, Route
from strangler_gateway.telemetry.log_throttle import LogThrottle

_LEGACY: Final = MigrationState.LEGACY


class Identify:
    """Sets identity, or identity_unavailable; neither where nobody was asked."""

    def __init__(self, authority: Authority, throttle: LogThrottle, wall: Callable[[], float]) -> None:
        self._authority, self._throttle, self._wall = authority, throttle, wall

    def run(self, exchange: Exchange) -> Outcome:
        """Takes what the connection remembers of the same fields, while it lasts."""
        sources = self._authority.sources
        if not sources or not _is_asked_for(exchange.route):
            return None
        head, known = exchange.head, exchange.memory.identified
        if known is not None and known[0] is sources and (known[1] is head.meaning or known[1] is head.lines):
            identity, clock = known[2], self._wall
            if (identity.expires_at or 0.0) > clock():
                exchange.identity, exchange.identified_by = identity, known[3]
                return None
        try:
            answer = self._authority.identify(exchange.fields)
        except Exception as error:
            self._unavailable(exchange, error)
            return None
        if not isinstance(answer, tuple):
            return DeferredStep(answer, lambda: self._wait(exchange, answer))
        exchange.identity, exchange.identified_by = answer
        if head.section and answer[1] is not None and answer[0].expires_at is not None:
            _remember(exchange, sources, answer[0], answer[1])
        return None

    async def _wait(self, exchange: Exchange, answer: Awaitable[Identified]) -> None:
        try:
            exchange.identity, exchange.identified_by = await answer
        except Exception as error:
            self._unavailable(exchange, error)

    def _unavailable(self, exchange: Exchange, error: Exception) -> None:
        """A provider that breaks counts as one that is away: what the monolith can answer must not fail with it."""
        exchange.identity_unavailable = True
        self._throttle.warn("identity", error)


def _remember(
    exchange: Exchange, sources: tuple[IdentitySource, ...], identity: Identity, provider: IdentityProvider
) -> None:
    """Rests on what the provider looks at, and those that were asked before it."""
    by_authorization = True
    for source in sources:
        by_authorization = by_authorization and source.by_authorization
        if source.provider is provider:
            if source.lasting:
                rests_on = exchange.head.meaning if by_authorization else exchange.head.lines
                exchange.memory.identified = sources, rests_on, identity, provider
            return


def _is_asked_for(route: Route) -> bool:
    if route.aggregate is not None and not _counts(route):
        return False
    return route.movable.state is not _LEGACY or (route.limit is not None and route.limit.by == "user")


def _counts(route: Route) -> bool:
    """Whether it matters who asks for an aggregate; each of its calls is identified as a request of its own."""
    assert route.aggregate is not None  # that was asked
    if route.aggregate.names_caller or route.auth.require != "open" or route.movable.state is MigrationState.CANARY:
        return True
    return route.limit is not None
