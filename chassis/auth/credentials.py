"""Routes that no user reaches: each opened by one token, which its service shares with another, or with operators."""

import hmac
from collections.abc import Awaitable, Callable

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chassis.store import StoreUnavailable

log = structlog.get_logger("chassis.auth.credentials")

Endpoint = Callable[[Request], Awaitable[Response]]


def guarded(token: str, endpoint: Endpoint, *others: str) -> Endpoint:
    """`endpoint` for bearers of that token (or one of the others), else 401; 503 while the store is away."""
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
            return refused(503, "the store is away")

    return answer


def refused(status: int, why: str) -> Response:
    """The body of every refusal."""
    return JSONResponse({"error": why}, status)
