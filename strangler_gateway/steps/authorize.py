"""Step: a caller whom a service will answer is checked against the live state, and gets an internal token."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity
from chassis.ttl_cache import TtlCache
from strangler_gateway.exchange.exchange import Answer, Exchange, Later, Reply
from strangler_gateway.exchange.exchange import Outcome as StepOutcome
from strangler_gateway.steps.decide import IDENTITY_UNAVAILABLE
from strangler_gateway.steps.identify import TIMEOUT_S
from strangler_gateway.table.routes import Auth, MigrationState, Side

if TYPE_CHECKING:
    from strangler_gateway.steps.pipeline import Gateway

GRANT_TTL_S = 5.0
MAX_GRANTS = 10_000

_USER = AuthenticationOutcome.USER
_MONOLITH = Side.LEGACY
_UNAVAILABLE = Reply(503, "proxy_internal_error", "The identity cannot be established now.", ((b"Retry-After", b"5"),))
_UNAUTHENTICATED = Reply(401, "http_request_denied", "Authentication is required.", ((b"WWW-Authenticate", b"Bearer"),))
_CHALLENGE = (b"WWW-Authenticate", b'Bearer error="invalid_token"')
_INVALID = Reply(401, "http_request_denied", "The credential is not valid.", (_CHALLENGE,))
_FORBIDDEN = Reply(403, "http_request_denied", "The caller lacks a role that this needs.")


class Grants:
    """Callers that the live state has confirmed, for at most 5 s each; a refusal is never kept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.now = clock
        self._known: TtlCache[bytes, Identity] = TtlCache(MAX_GRANTS)

    def get(self, identity: Identity) -> Identity | None:
        """The caller as lately confirmed."""
        return self._known.get(identity.credential, self.now())

    def put(self, asked: Identity, confirmed: Identity, asked_at: float) -> None:
        """Keeps a grant, from when it was asked for; anything else ends the one that was kept."""
        if confirmed.outcome is _USER and asked.credential:
            self._known.put(asked.credential, confirmed, asked_at + GRANT_TTL_S)
        else:
            self._known.drop(asked.credential)


def refusal(auth: Auth, identity: Identity) -> Reply | None:
    """The answer to a caller who lacks what `auth.require` asks (one of its roles suffices); None: he may pass."""
    if auth.require == "open":
        return None
    if identity.outcome is not _USER:
        return _INVALID if identity.outcome is AuthenticationOutcome.REJECTED else _UNAUTHENTICATED
    if auth.require == "authenticated" or not auth.require.isdisjoint(identity.roles):
        return None
    return _FORBIDDEN


def authorize(gateway: "Gateway", x: Exchange) -> StepOutcome:
    """Sets x.internal_token for what goes to a service; sends it to the monolith, or ends it, where it cannot."""
    if x.decision is None or x.decision.side is _MONOLITH:
        return None
    if x.identity_unavailable:
        return _elsewhere(x)
    try:
        answer = confirm(gateway, x)
    except Exception as error:
        return _unavailable(gateway, x, error)
    if isinstance(answer, Identity):
        return _conclude(gateway, x, answer)
    return Later(answer, lambda: _later(gateway, x, answer))


def confirm(gateway: "Gateway", x: Exchange) -> Identity | Awaitable[Identity]:
    """The caller as the live state knows him, at most 5 s old, read anew where the older one would be refused."""
    asked = x.identity or NOBODY
    provider = gateway.provider
    if provider is None or asked.outcome is not _USER:
        return asked
    known = gateway.grants.get(asked)
    if known is not None and refusal(x.route.auth, known) is None:
        return known
    asked_at = gateway.grants.now()
    answer = provider.confirm(asked, x.fields)
    if not isinstance(answer, Identity):
        return Later(answer, lambda: _awaited(gateway.grants, asked, answer, asked_at))
    gateway.grants.put(asked, answer, asked_at)
    return answer


async def _awaited(grants: Grants, asked: Identity, answer: Awaitable[Identity], asked_at: float) -> Identity:
    async with asyncio.timeout(TIMEOUT_S):
        confirmed = await answer
    grants.put(asked, confirmed, asked_at)
    return confirmed


async def _later(gateway: "Gateway", x: Exchange, answer: Awaitable[Identity]) -> Answer:
    try:
        identity = await answer
    except Exception as error:
        return _unavailable(gateway, x, error)
    return _conclude(gateway, x, identity)


def _conclude(gateway: "Gateway", x: Exchange, identity: Identity) -> Answer:
    x.identity = identity
    auth = x.route.auth
    if auth.enforce == "gateway":
        reply = refusal(auth, identity)
        if reply is not None:
            return reply
    if gateway.signer is not None and x.publish is None:
        x.internal_token = gateway.signer.token(identity, x.service.name)
    return None


def _unavailable(gateway: "Gateway", x: Exchange, error: Exception) -> Answer:
    gateway.complaints.about("identity", error)
    return _elsewhere(x)


def _elsewhere(x: Exchange) -> Answer:
    """The monolith can still tell who calls; where it no longer owns the route, nobody can."""
    if x.route.movable.state in (MigrationState.EXTRACTED, MigrationState.RETIRED):
        return _UNAVAILABLE
    x.decision = IDENTITY_UNAVAILABLE
    x.service, x.publish = x.route.legacy, None
    return None
