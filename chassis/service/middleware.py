"""What surrounds every request of a service: its id in all log lines, and one place for unexpected errors."""

import re
import time
import uuid
from http import HTTPStatus
from math import inf

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from chassis import deadline
from chassis.trace_context import traceparent
from chassis.tracing import spans

log = structlog.get_logger("chassis.service.middleware")
_PROBES = ("/health/live", "/health/ready", "/metrics")
"""They are not worth a trace."""
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")


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
            if spans.is_on() and scope["path"] not in _PROBES:
                await self._traced(scope, receive, send, trace)
            else:
                await self._app(scope, receive, send)

    async def _traced(self, scope: Scope, receive: Receive, send: Send, parent: str | None) -> None:
        with spans.span(scope["method"], "server", parent) as covered:
            covered.attributes["http.request.method"] = scope["method"]

            async def told(message: Message) -> None:
                if message["type"] == "http.response.start":
                    covered.attributes["http.response.status_code"] = status = message["status"]
                    covered.failed = status >= HTTPStatus.INTERNAL_SERVER_ERROR
                await send(message)

            await self._app(scope, receive, told)


class HonourDeadline:
    """Sets the deadline of a request by the gateway's Strangler-Timeout-Ms. 503 if it has passed before work began."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        seconds = deadline.timeout_s(scope["headers"])
        is_gone = scope.get("state", {}).get("is_gone", lambda: False)
        one = deadline.Deadline(inf if seconds is None else time.monotonic() + seconds, is_gone)
        token = deadline.current.set(one)

        async def watched(message: Message) -> None:
            one.at, one.begun = inf, True  # what follows is part of an answer that is being read
            await send(message)

        try:
            one.check()
            await self._app(scope, receive, watched)
        except deadline.DeadlinePassed as passed:
            log.info("not_begun", reason=str(passed), method=scope["method"], path=scope["path"])
            await Response(status_code=503, headers={"Retry-After": "1"})(scope, receive, send)
        finally:
            deadline.current.reset(token)


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
