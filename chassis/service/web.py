"""The web application of a service: health, request id, one place for errors, the caller, the server."""

import gc
import re
import signal
import socket
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from typing import Protocol

import structlog
import uvicorn
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from chassis.auth.claims import NOBODY, Fields, Identity
from chassis.auth.tokens import TokenRejected
from chassis.service.metrics import CONTENT_TYPE, Metric, rendered
from chassis.store import StoreUnavailable
from chassis.trace_context import traceparent

log = structlog.get_logger("chassis.service.web")

Lifespan = Callable[[Starlette], AbstractAsyncContextManager[None]]
Check = Callable[[], Awaitable[None]]
Metrics = Callable[[], Awaitable[Sequence[Metric]]]
"""Raises StoreUnavailable."""
KEEP_ALIVE_S = 120
"""Longer than the gateway keeps an idle connection. Otherwise the gateway could write into a closing one."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


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
) -> Starlette:
    """Serves health, description and metrics itself, and everything else from `routes`.

    `failure` answers when `routes` raises. `ready` raises if the service cannot work now. `description`: an OpenAPI
    document as JSON, at /openapi.json. `metrics`: at /metrics, without a credential, since they are only numbers.
    """

    async def live(_request: Request) -> Response:
        return JSONResponse({"status": "live"})

    async def readiness(_request: Request) -> Response:
        try:
            await ready()
        except Exception as error:
            log.warning("not_ready", reason=str(error))
            return JSONResponse({"status": "not ready"}, status_code=503)
        return JSONResponse({"status": "ready"})

    async def described(_request: Request) -> Response:
        return Response(description, media_type="application/json")

    own = [Route("/health/live", live), Route("/health/ready", readiness)]
    if description is not None:
        own.append(Route("/openapi.json", described))
    if metrics is not None:
        own.append(Route("/metrics", partial(_measured, metrics)))
    app = Starlette(
        routes=own,
        middleware=[Middleware(RequestId), Middleware(CatchErrors, failure=failure)],
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


class RequestId:
    """Adds the gateway's X-Request-Id and the request's traceparent to all log lines and messages of a request.

    Makes a new id if the field is missing or malformed.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        sent = Headers(scope=scope).get("x-request-id", "")
        request_id = sent if _REQUEST_ID.fullmatch(sent) else uuid.uuid4().hex
        trace = traceparent([value for name, value in scope["headers"] if name == b"traceparent"])
        bound = {"request_id": request_id} | ({} if trace is None else {"traceparent": trace})
        with structlog.contextvars.bound_contextvars(**bound):
            await self._app(scope, receive, send)


class CatchErrors:
    """Logs unexpected exceptions and lets `failure` answer. Aborts a response that has already begun."""

    def __init__(self, app: ASGIApp, failure: ASGIApp) -> None:
        self._app = app
        self._failure = failure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def watched(message: Message) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            log.exception("unexpected_error", method=scope["method"], path=scope["path"])
            if started:
                raise
            await self._failure(scope, receive, send)


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


def serve(app: ASGIApp, host: str, port: int, *, grace_s: int = 20) -> int:
    """Serves until SIGTERM or SIGINT, then finishes open requests for at most `grace_s`. Port 0 means any free port.

    Prints `listening on http://HOST:PORT` when it listens. Returns the exit code: 1 if it cannot listen or start.
    """
    try:
        listener = _listen(host, port)
    except OSError as error:
        log.error("cannot_listen", host=host, port=port, reason=str(error))
        return 1
    config = uvicorn.Config(
        app,
        http=_Protocol,
        lifespan="on",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=grace_s,
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn raises the signal again when it has finished
    with listener:
        server = _ServiceServer(config)
        server.run(sockets=[listener])
    return 0 if server.started else 1


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=1024)


class _Protocol(HttpToolsProtocol):
    """Passes the request target as sent to the application: ASGI drops a question mark at its end."""

    def on_headers_complete(self) -> None:
        self.scope["state"]["target"] = self.url
        super().on_headers_complete()


class _ServiceServer(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        gc.collect()
        gc.freeze()  # objects of start-up live for ever: the collector can skip them
        for listener in (sockets or []) if self.started else []:
            host, port = listener.getsockname()[:2]
            print(f"listening on http://{f'[{host}]' if ':' in host else host}:{port}", flush=True)
