"""Learning's routes as one ASGI application that answers as the monolith does."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog
from starlette.types import ASGIApp

from chassis.auth.claims import Identity
from chassis.service.web import Verifier
from chassis.store import StoreUnavailable
from extracted.learning.api.callers import GuardedRoute
from extracted.learning.domain import NotFound, Unexpected, ValueRefused
from extracted.wire import application as wire
from extracted.wire import openapi
from extracted.wire.application import ApiRequest, ApiRoute
from extracted.wire.guard import Guarded, guarded
from extracted.wire.responses import NOT_FOUND, STORE_FAILED, UNAVAILABLE, UNEXPECTED, ApiResponse

log = structlog.get_logger("learning.api")

AWAY: Final = replace(UNAVAILABLE, fields=((b"retry-after", b"1"),))
"""Not a response of the monolith: a store is away, and the request can be sent again."""
DOCUMENT: Final = Path(__file__).parents[1] / "openapi.yaml"


def application(routes: Iterable[GuardedRoute], verifier: Verifier, *, production: bool) -> ASGIApp:
    """All routes for users, each with its guard."""
    guards = [
        ApiRoute(method, path, guarded(verifier, allowed, translated(handler)))
        for method, path, allowed, handler in routes
    ]
    return wire.application(guards, production=production)


def failure(*, production: bool) -> ASGIApp:
    """Answers when the application has raised."""
    return wire.failure(production=production)


def description() -> bytes:
    """The OpenAPI document, as JSON."""
    return openapi.served(DOCUMENT)


def translated(handler: Guarded) -> Guarded:
    """Turns refusals into the monolith's answers. The log says which refusal, never the value."""

    async def answer(request: ApiRequest, identity: Identity) -> ApiResponse:
        try:
            return await handler(request, identity)
        except NotFound:
            return NOT_FOUND
        except ValueRefused as refusal:
            log.info("value_refused", reason=str(refusal))
            return STORE_FAILED
        except Unexpected as refusal:
            log.info("unexpected", reason=str(refusal))
            return UNEXPECTED
        except StoreUnavailable as error:
            log.error("store_unavailable", reason=str(error))
            return AWAY

    return answer
