"""Who calls, and may he, before anything else of a call is looked at."""

from collections.abc import Awaitable, Callable

import structlog

from chassis.auth.claims import NOBODY, AuthenticationOutcome, Identity, IdentityUnavailable
from chassis.service.web import Verifier, caller
from chassis.store import StoreUnavailable
from extracted.wire import responses
from extracted.wire.application import ApiRequest, Handler
from extracted.wire.responses import ApiResponse

log = structlog.get_logger("wire.guard")

Guarded = Callable[[ApiRequest, Identity], Awaitable[ApiResponse]]
Allowed = Callable[[ApiRequest, Identity], bool]
Anew = Callable[[Identity], Awaitable[Identity]]


def unguarded(handler: Guarded) -> Handler:
    """For everybody, whatever the credential: the handler is told of nobody. A store that is away is a 500, too."""

    async def answer(call: ApiRequest) -> ApiResponse:
        try:
            return await handler(call, NOBODY)
        except StoreUnavailable as error:
            return _store_failed(error)

    return answer


def guarded(verifier: Verifier, allowed: Allowed, handler: Guarded, anew: Anew | None = None) -> Handler:
    """A handler for those alone whom `allowed` lets pass; a store that is away is the monolith's 500.

    `anew`: looks up the roles of a user who would be refused, since the gateway's are some seconds old.
    """

    async def answer(call: ApiRequest) -> ApiResponse:
        try:
            identity = await caller(call.fields, verifier)
            if anew is not None and identity.outcome is AuthenticationOutcome.USER and not allowed(call, identity):
                identity = await anew(identity)
            return responses.refusal(identity, allowed=allowed(call, identity)) or await handler(call, identity)
        except StoreUnavailable as error:
            return _store_failed(error)
        except IdentityUnavailable as error:
            log.error("identity_unavailable", reason=str(error))
            return responses.UNAVAILABLE

    return answer


def _store_failed(error: StoreUnavailable) -> ApiResponse:
    log.error("store_unavailable", reason=str(error))
    return responses.STORE_FAILED
