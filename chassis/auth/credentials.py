"""Guards internal routes: each is for another service or for operators."""

import hmac
from collections.abc import Awaitable, Callable
from typing import Protocol

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chassis.auth.claims import IdentityUnavailable
from chassis.store import StoreUnavailable

log = structlog.get_logger("chassis.auth.credentials")

Endpoint = Callable[[Request], Awaitable[Response]]


class CallerCheck(Protocol):
    """Tells those for whom a route is from all others."""

    async def refusal(self, authorization: bytes) -> str | None:
        """Why this value of Authorization does not do, for the log: nothing secret. Raises IdentityUnavailable."""
        ...


class SharedTokens:
    """Lets bearers of one of these tokens pass."""

    def __init__(self, *tokens: str) -> None:
        self._wanted = [f"Bearer {token}".encode() for token in tokens]

    async def refusal(self, authorization: bytes) -> str | None:
        """Compares in constant time."""
        found = [hmac.compare_digest(authorization, one) for one in self._wanted]
        return None if any(found) else "none of the shared tokens"


class AnyCaller:
    """Lets pass whom one of the checks lets pass."""

    def __init__(self, *checks: CallerCheck) -> None:
        self._checks = checks

    async def refusal(self, authorization: bytes) -> str | None:
        """In order; the last one's reason."""
        why: str | None = "nobody may call"
        for check in self._checks:
            why = await check.refusal(authorization)
            if why is None:
                return None
        return why


def guarded(callers: CallerCheck, endpoint: Endpoint) -> Endpoint:
    """Lets these callers pass, others get 401. Answers 503 while callers cannot be verified, or without the store."""

    async def answer(request: Request) -> Response:
        try:
            why = await callers.refusal(request.headers.get("authorization", "").encode("latin-1"))
            if why is not None:
                log.warning("credential_refused", path=request.url.path, reason=why)
                return refused(401, "the credential is missing or wrong")
            return await endpoint(request)
        except IdentityUnavailable as error:
            log.error("identity_unavailable", reason=str(error))
            return refused(503, "the credential cannot be verified now")
        except StoreUnavailable as error:
            log.error("store_unavailable", reason=str(error))
            return refused(503, "the store is not reachable")

    return answer


def refused(status: int, why: str) -> Response:
    """A refusal: every one has this body."""
    return JSONResponse({"error": why}, status)
