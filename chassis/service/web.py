"""The web application of a service: its routes, health, metrics, description, and who calls."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Protocol

import structlog
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from chassis.auth.claims import NOBODY, Fields, Identity, TokenRejected
from chassis.service.metrics import CONTENT_TYPE, Metric, rendered
from chassis.service.middleware import CatchErrors, HonourDeadline, RequestId
from chassis.service.readiness import UnservedRoute, listed
from chassis.store import StoreUnavailable

log = structlog.get_logger("chassis.service.web")

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]
Check = Callable[[], Awaitable[None]]
Metrics = Callable[[], Awaitable[Sequence[Metric]]]
"""Raises StoreUnavailable."""


class Verifier(Protocol):
    """Tells whom an internal token names, as chassis.auth.tokens.TokenVerifier does."""

    async def verify(self, token: bytes) -> Identity:
        """Raises TokenRejected."""
        ...


def application(
    routes: ASGIApp,
    *,
    failure: ASGIApp,
    ready: Check,
    lifespan: Lifespan,
    description: bytes | None = None,
    metrics: Metrics | None = None,
    unserved: Sequence[UnservedRoute] = (),
) -> Starlette:
    """Serves health, description and metrics itself, and everything else from `routes`.

    `failure` answers when `routes` raises. `ready` raises if the service cannot work now. `description`: an OpenAPI
    document as JSON, at /openapi.json. `metrics`: at /metrics, without a credential, since they are only numbers.
    `unserved`: routes that these settings leave out; the readiness answer lists them.
    """

    async def live(_request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def readiness(_request: Request) -> Response:
        try:
            await ready()
        except Exception as error:
            log.warning("not_ready", reason=str(error))
            return JSONResponse({"status": "not ready"}, status_code=503)
        return JSONResponse({"status": "ready", **listed(unserved)})

    async def described(_request: Request) -> Response:
        return Response(description, media_type="application/json")

    own = [Route("/health/live", live), Route("/health/ready", readiness)]
    if description is not None:
        own.append(Route("/openapi.json", described))
    if metrics is not None:
        own.append(Route("/metrics", partial(_measured, metrics)))
    app = Starlette(
        routes=own,
        middleware=[Middleware(RequestId), Middleware(CatchErrors, failure=failure), Middleware(HonourDeadline)],
        lifespan=lifespan,
    )
    app.router.default = routes  # every other path; a Mount would not take one with an encoded line end
    app.router.redirect_slashes = False
    return app


async def _measured(metrics: Metrics, _request: Request) -> Response:
    try:
        return Response(rendered(*await metrics()), media_type=CONTENT_TYPE)
    except StoreUnavailable as error:
        log.warning("no_metrics", reason=str(error))
        return Response(status_code=503)


def passed_on(name: bytes, fields: Fields, identity: Identity) -> str | None:
    """What the gateway passes on (chassis.auth.claims), if `identity` is of a valid internal token; else None."""
    values = [value for known, value in fields if known.lower() == name.lower()]
    return values[0].decode("latin-1") if len(values) == 1 and identity.credential else None


async def caller(fields: Fields, verifier: Verifier) -> Identity:
    """Whom the internal token names. Without a valid token of the gateway: NOBODY, and a line in the log."""
    values = [value for name, value in fields if name.lower() == b"authorization"]
    scheme, _, token = values[0].partition(b" ") if len(values) == 1 else (b"", b"", b"")
    if scheme.lower() != b"bearer":
        log.warning("internal_token_missing")
        return NOBODY
    try:
        return await verifier.verify(token)
    except TokenRejected as error:
        log.warning("internal_token_rejected", reason=str(error))
        return NOBODY
