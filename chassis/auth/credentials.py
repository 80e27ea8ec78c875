"""Guards internal routes: each needs a token that the service shares with another service or with operators."""

import hmac
from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chassis.store import StoreUnavailable

log = structlog.get_logger("chassis.auth.credentials")

Endpoint = Callable[[Request], Awaitable[Response]]


def guarded(token: str, endpoint: Endpoint, *others: str) -> Endpoint:
    """Lets bearers of one of these tokens pass, others get 401. Answers 503 while the store is unavailable."""
    wanted = [f"Bearer {one}".encode() for one in (token, *others)]

    async def answer(request: Request) -> Response:
        sent = request.headers.get("authorization", "").encode("latin-1")
        if not any(hmac.compare_digest(sent, one) for one in wanted):
            log.warning("credential_refused", path=request.url.path)
            return refused(401, "the credential is missing or wrong")
        try:
            return await endpoint(request)
        except StoreUnavailable as error:
            log.error("store_unavailable", reason=str(error))
            return refused(503, "the store is not reachable")

    return answer


def refused(status: int, why: str) -> Response:
    """A refusal: every one has this body."""
    return JSONResponse({"error": why}, status)
