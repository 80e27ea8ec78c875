"""Step: a caller whom a service will answer is checked against the live state, and gets an internal token."""

from collections.abc import Awaitable
from typing import Final

from chassis.auth.claims import Identity
from strangler_gateway.exchange.decision import IDENTITY_UNAVAILABLE, NOBODY_CAN_TELL
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Answer, DeferredStep, Outcome
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.identity.authority import Authority
from strangler_gateway.identity.grants import refusal
from strangler_gateway.identity.signer import Signer
from strangler_gateway.table.routes import MigrationState, Side
from strangler_gateway.telemetry.log_throttle import LogThrottle

_MONOLITH: Final = Side.LEGACY
_UNAVAILABLE = Reply(503, "proxy_internal_error", "The identity cannot be established now.", ((b"Retry-After", b"5"),))


class Authorize:
    """Sets internal_token; sends the request to the monolith, or ends it, where the caller cannot be established."""

    def __init__(self, authority: Authority, signer: Signer, throttle: LogThrottle) -> None:
        self._authority, self._signer, self._throttle = authority, signer, throttle

    def run(self, exchange: Exchange) -> Outcome:
        """Does nothing for what goes to the monolith: it decides itself."""
        if exchange.decision is None or exchange.decision.side is _MONOLITH:
            return None
        if exchange.aggregate is not None and exchange.route.auth.require == "open":
            return None  # each of its calls is authorized as a request of its own
        if exchange.identity_unavailable:
            return _elsewhere(exchange)
        try:
            answer = self._authority.confirm(exchange, exchange.route.auth)
        except Exception as error:
            return self._unavailable(exchange, error)
        if isinstance(answer, Identity):
            return self._conclude(exchange, answer)
        return DeferredStep(answer, lambda: self._wait(exchange, answer))

    async def _wait(self, exchange: Exchange, answer: Awaitable[Identity]) -> Answer:
        try:
            identity = await answer
        except Exception as error:
            return self._unavailable(exchange, error)
        return self._conclude(exchange, identity)

    def _conclude(self, exchange: Exchange, identity: Identity) -> Answer:
        exchange.identity = identity
        auth = exchange.route.auth
        if auth.enforce == "gateway":
            reply = refusal(auth, identity)
            if reply is not None:
                return reply
        if exchange.has_service:
            memory = exchange.memory
            memory.issued = issued = self._signer.issue(identity, exchange.service.name, memory.issued)
            exchange.internal_token = issued[3]
        return None

    def _unavailable(self, exchange: Exchange, error: Exception) -> Answer:
        self._throttle.warn("identity", error)
        return _elsewhere(exchange)


def _elsewhere(exchange: Exchange) -> Answer:
    """The monolith can still tell who calls; where it no longer owns the route, nobody can."""
    if exchange.route.movable.state in (MigrationState.EXTRACTED, MigrationState.RETIRED):
        exchange.decision, exchange.stage = NOBODY_CAN_TELL, b"identity"
        return _UNAVAILABLE
    exchange.decision = IDENTITY_UNAVAILABLE
    exchange.service, exchange.publish, exchange.aggregate = exchange.route.legacy, None, None
    return None
