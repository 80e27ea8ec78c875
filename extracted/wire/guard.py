"""Checks who calls and whether the call is allowed, before anything else of the request is read."""

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
    """Lets everybody call and passes NOBODY to the handler. An unavailable store is the monolith's 500."""

    async def answer(request: ApiRequest) -> ApiResponse:
        try:
            return await handler(request, NOBODY)
        except StoreUnavailable as error:
            return _store_failed(error)

    return answer


def anybody(_request: ApiRequest, _identity: Identity) -> bool:
    """Everybody may call, with or without a credential."""
    return True


def welcoming(verifier: Verifier, handler: Guarded) -> Handler:
    """Lets everybody call, and passes on who calls as far as the gateway says it: NOBODY without its token."""

    async def answer(request: ApiRequest) -> ApiResponse:
        try:
            return await handler(request, await _as_far_as_known(request, verifier))
        except StoreUnavailable as error:
            return _store_failed(error)

    return answer


async def _as_far_as_known(request: ApiRequest, verifier: Verifier) -> Identity:
    try:
        return await caller(request.fields, verifier)
    except IdentityUnavailable as error:
        log.error("identity_unavailable", reason=str(error))
        return NOBODY


def guarded(verifier: Verifier, allowed: Allowed, handler: Guarded, anew: Anew | None = None) -> Handler:
    """Lets those call whom `allowed` accepts. An unavailable store is the monolith's 500.

    `anew`: reads the roles of a user again before refusing, because the gateway's are some seconds old.
    """

    async def answer(request: ApiRequest) -> ApiResponse:
        try:
            identity = await caller(request.fields, verifier)
            if anew is not None and identity.outcome is AuthenticationOutcome.USER and not allowed(request, identity):
                identity = await anew(identity)
            return responses.refusal(identity, allowed=allowed(request, identity)) or await handler(request, identity)
        except StoreUnavailable as error:
            return _store_failed(error)
        except IdentityUnavailable as error:
            log.error("identity_unavailable", reason=str(error))
            return responses.UNAVAILABLE

    return answer


def _store_failed(error: StoreUnavailable) -> ApiResponse:
    log.error("store_unavailable", reason=str(error))
    return responses.STORE_FAILED
