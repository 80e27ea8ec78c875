"""Callers whom the live state has confirmed, kept for a few seconds."""

import time
from collections.abc import Callable
from typing import Final

from chassis.auth.claims import AuthenticationOutcome, Identity
from chassis.ttl_cache import TtlCache
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.table.routes import Auth

GRANT_TTL_S = 5.0
MAX_GRANTS = 20_000

_USER: Final = AuthenticationOutcome.USER
_UNAUTHENTICATED = Reply(401, "http_request_denied", "Authentication is required.", ((b"WWW-Authenticate", b"Bearer"),))
_CHALLENGE = (b"WWW-Authenticate", b'Bearer error="invalid_token"')
_INVALID = Reply(401, "http_request_denied", "The credential is not valid.", (_CHALLENGE,))
_FORBIDDEN = Reply(403, "http_request_denied", "The caller does not have a required role.")


class Grants:
    """Confirmed callers, for at most 5 s each; a refusal is never kept."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.now = clock
        self._known: TtlCache[bytes, Identity] = TtlCache(MAX_GRANTS)

    def get(self, identity: Identity) -> Identity | None:
        """The caller as lately confirmed."""
        clock = self.now
        return self._known.get(identity.credential, clock())

    def put(self, asked: Identity, confirmed: Identity, asked_at: float) -> None:
        """Keeps a grant, counted from when it was asked for; anything else ends the one that was kept."""
        if confirmed.outcome is _USER and asked.credential:
            self._known.put(asked.credential, confirmed, asked_at + GRANT_TTL_S)
        else:
            self._known.drop(asked.credential)


def refusal(auth: Auth, identity: Identity) -> Reply | None:
    """The answer to a caller who lacks what `auth.require` asks (one of its roles suffices); None: may pass."""
    if auth.require == "open":
        return None
    if identity.outcome is not _USER:
        return _INVALID if identity.outcome is AuthenticationOutcome.REJECTED else _UNAUTHENTICATED
    if auth.require == "authenticated" or not auth.require.isdisjoint(identity.roles):
        return None
    return _FORBIDDEN
