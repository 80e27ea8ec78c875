"""Step: who is this, as far as bucket and limits need it? Nobody is asked for a group in legacy."""

from collections.abc import Awaitable, Callable
from typing import Final

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.head_memory import Identified
from strangler_gateway.exchange.outcome import DeferredStep, Outcome
from strangler_gateway.identity.authority import Authority
from strangler_gateway.identity.providers import IdentitySource
from strangler_gateway.table.routes import MigrationState, Route
from strangler_gateway.telemetry.log_throttle import LogThrottle
from strangler_gateway.upstream.resilience.retry import SAFE

_LEGACY: Final = MigrationState.LEGACY


class Identify:
    """Sets identity, or identity_unavailable; neither where nobody was asked."""

    def __init__(
        self, authority: Authority, throttle: LogThrottle, wall: Callable[[], float], serializes_legacy: bool = False
    ) -> None:
        self._authority, self._throttle, self._wall = authority, throttle, wall
        self._serializes_legacy = serializes_legacy

    def run(self, exchange: Exchange) -> Outcome:
        """Takes what is remembered of the same fields, while it lasts."""
        sources = self._authority.sources
        if not sources or not (_is_asked_for(exchange.route) or self._takes_turns(exchange)):
            return None
        head, known, clock = exchange.head, exchange.memory.identified, self._wall
        if (
            known is not None
            and known[0] is sources
            and (known[1] is head.meaning or known[1] is head.lines)
            and known[2] == head.authorization_line
            and (known[3][0].expires_at or 0.0) > clock()
        ):
            exchange.identity, exchange.identified_by = known[3]
            return None
        if head.authorization_line:
            user = self._authority.known(head.authorization_line, clock())
            if user is not None:
                exchange.identity, exchange.identified_by = user
                if head.after:
                    exchange.memory.identified = sources, head.meaning, head.authorization_line, user
                return None
        return self._ask(exchange, sources)

    def _ask(self, exchange: Exchange, sources: tuple[IdentitySource, ...]) -> Outcome:
        try:
            answer = self._authority.identify(exchange.fields, exchange.head.authorization_line)
        except Exception as error:
            self._unavailable(exchange, error)
            return None
        if not isinstance(answer, tuple):
            return DeferredStep(answer, lambda: self._wait(exchange, answer))
        exchange.identity, exchange.identified_by = answer
        if exchange.head.after and answer[1] is not None and answer[0].expires_at is not None:
            _remember(exchange, sources, answer)
        return None

    async def _wait(self, exchange: Exchange, answer: Awaitable[Identified]) -> None:
        try:
            exchange.identity, exchange.identified_by = await answer
        except Exception as error:
            self._unavailable(exchange, error)

    def _takes_turns(self, exchange: Exchange) -> bool:
        """In state legacy, too: where several gateways act as one (the step `serialize`)."""
        return self._serializes_legacy and exchange.route.movable.serialize is not None and exchange.method not in SAFE

    def _unavailable(self, exchange: Exchange, error: Exception) -> None:
        """A provider that breaks counts as one that is away: what the monolith can answer must not fail with it."""
        exchange.identity_unavailable = True
        self._throttle.warn("identity", error)


def _remember(exchange: Exchange, sources: tuple[IdentitySource, ...], known: Identified) -> None:
    """Rests on what the provider looks at, and those that were asked before it."""
    head, by_authorization = exchange.head, True
    for source in sources:
        by_authorization = by_authorization and source.by_authorization
        if source.provider is known[1]:
            if source.lasting:
                rests_on = head.meaning if by_authorization else head.lines
                exchange.memory.identified = sources, rests_on, head.authorization_line, known
            return


def _is_asked_for(route: Route) -> bool:
    if route.aggregate is not None and not _counts(route):
        return False
    return route.movable.state is not _LEGACY or (route.limit is not None and route.limit.by == "user")


def _counts(route: Route) -> bool:
    """Whether it matters who asks for an aggregate; each of its calls is identified as a request of its own."""
    assert route.aggregate is not None  # that was asked
    if route.aggregate.names_caller or route.auth.require != "open" or route.movable.draws:
        return True
    return route.limit is not None
