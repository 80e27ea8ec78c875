"""Step: a monolith with `credentials: exchange` gets a credential of its own kind for a token that it does not know."""

import asyncio
from typing import Final

from chassis.auth.claims import AuthenticationOutcome, Identity
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Answer, DeferredStep, Outcome
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.identity.authority import TIMEOUT_S, Authority
from strangler_gateway.identity.credential_exchange import CredentialExchange
from strangler_gateway.identity.jwt import JwtProvider, OwnToken
from strangler_gateway.table.routes import Side
from strangler_gateway.telemetry.log_throttle import LogThrottle
from strangler_gateway.telemetry.stats import Stats

_LEGACY: Final = Side.LEGACY
_USER: Final = AuthenticationOutcome.USER
_UNAVAILABLE = Reply(503, "proxy_internal_error", "The credential cannot be exchanged now.", ((b"Retry-After", b"5"),))


class ExchangeCredential:
    """Sets credential; ends the request where the monolith would wrongly refuse the caller."""

    def __init__(self, authority: Authority, throttle: LogThrottle, stats: Stats) -> None:
        self._authority, self._throttle, self._stats = authority, throttle, stats

    def run(self, exchange: Exchange) -> Outcome:
        """Nobody is identified who sent no token that a provider can exchange."""
        decision = exchange.decision
        if decision is None or decision.side is not _LEGACY or exchange.service.credentials == "pass":
            return None
        sources, passes, head = self._authority.sources, exchange.memory.passes, exchange.head
        line = head.authorization_line
        if passes is not None and passes[0] is sources and passes[1] is head.meaning and passes[2] == line:
            return None
        for source in sources:
            if source.tokens is None or source.exchange is None:
                continue
            own = source.tokens.own(exchange.fields)
            if own is not None:
                return self._exchanged(exchange, source.tokens, source.exchange, own)
        exchange.memory.passes = sources, head.meaning, line
        return None

    def _exchanged(
        self, exchange: Exchange, tokens: JwtProvider, credentials: CredentialExchange, own: OwnToken
    ) -> Outcome:
        known = credentials.known(own.digest)
        if known is None:
            return DeferredStep(None, lambda: self._ask(exchange, tokens, credentials, own))
        _replace(exchange, credentials, own, known)
        return None

    async def _ask(
        self, exchange: Exchange, tokens: JwtProvider, credentials: CredentialExchange, own: OwnToken
    ) -> Answer:
        """A token that is refused goes on as it is: the monolith says no in its own words."""
        try:
            async with asyncio.timeout(TIMEOUT_S):
                user = tokens.identify(exchange.fields)
                if not isinstance(user, Identity):
                    user = await user
                found = await credentials.ask(user, own.token) if user.outcome is _USER else None
        except Exception as error:
            self._stats.exchanged("failed")
            self._throttle.warn("credential exchange", error)
            exchange.stage = b"identity"
            return _UNAVAILABLE
        self._stats.exchanged("refused" if found is None else "exchanged")
        if found is not None:
            _replace(exchange, credentials, own, found)
        return None


def _replace(exchange: Exchange, credentials: CredentialExchange, own: OwnToken, credential: bytes) -> None:
    """For this request alone. A credential that the monolith refuses is not used again."""
    exchange.credential = b"Bearer " + credential

    def ended() -> None:
        if exchange.status == 401:
            credentials.forget(own.digest)

    exchange.on_done += (ended,)
