"""What the gateway asks about a token of the identity server. No route of routes.yaml leads here from outside.

GET /internal/identity, Authorization: the token → 200 {"id", "roles", "expiresAt"} · 401 it is not good (any more)
POST /internal/credentials {"token"}, Authorization: the gateway's internal token of the same user
  → 200 {"credential", "expiresAt"} · 401 the internal token is not good · 403 the token is not good, or another user's
Both: 503 with Retry-After while the tables, or keys that were never read, are away. Times are Unix seconds.
"""

import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import datetime
from functools import partial
from typing import Final

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp

from chassis.auth.claims import AuthenticationOutcome, IdentityUnavailable
from chassis.auth.credentials import Endpoint, refused
from chassis.auth.tokens import TokenRejected
from chassis.service.web import Verifier
from chassis.store import StoreUnavailable
from extracted.account.sessions.domain import AnotherUser
from extracted.account.sessions.service import Sessions

log = structlog.get_logger("account.sessions")

MOST_BYTES: Final = 32 * 1024
"""A body that holds the longest token that is verified at all (chassis/auth/jwt.py)."""
WANTED: Final = 'wanted {"token": "an access token of the identity server"}'


def application(public: ASGIApp, sessions: Sessions, gateway: Verifier) -> ASGIApp:
    """`public` answers all other paths."""
    own = [Route(path, endpoint, methods=[method]) for method, path, endpoint in routes(sessions, gateway)]
    return Router(own, redirect_slashes=False, default=public)


def routes(sessions: Sessions, gateway: Verifier) -> Iterator[tuple[str, str, Endpoint]]:
    """`gateway` verifies its internal tokens."""
    yield "GET", "/internal/identity", _available(partial(_identity, sessions))
    yield "POST", "/internal/credentials", _available(partial(_credential, sessions, gateway))


async def _identity(sessions: Sessions, request: Request) -> Response:
    token = _token(request)
    if token is None:
        return refused(401, "wanted Authorization: Bearer TOKEN")
    try:
        verified, subject = await sessions.check(token)
    except TokenRejected as error:
        return _rejected(401, error)
    told = {"id": subject.user_id, "roles": subject.roles, "expiresAt": _seconds(verified.expires_at)}
    return JSONResponse(told)


async def _credential(sessions: Sessions, gateway: Verifier, request: Request) -> Response:
    caller = await _caller(gateway, request)
    if isinstance(caller, Response):
        return caller
    token = await _token_of_body(request)
    if isinstance(token, Response):
        return token
    try:
        exchanged = await sessions.exchange(token, caller)
    except (TokenRejected, AnotherUser) as error:
        return _rejected(403, error)
    return JSONResponse({"credential": exchanged.credential, "expiresAt": _seconds(exchanged.expires_at)})


async def _caller(gateway: Verifier, request: Request) -> str | Response:
    """The user for whom the gateway asks."""
    token = _token(request)
    try:
        identity = await gateway.verify(token or b"")
    except TokenRejected as error:
        return _rejected(401, error)
    if identity.outcome is not AuthenticationOutcome.USER or identity.subject is None:
        return refused(401, "the internal token names no user")
    return identity.subject


async def _token_of_body(request: Request) -> bytes | Response:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MOST_BYTES:
            return refused(413, f"more than {MOST_BYTES} bytes; {WANTED}")
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return refused(400, f"no JSON; {WANTED}")
    token = document.get("token") if isinstance(document, dict) else None
    if not isinstance(token, str) or not token.isascii():
        return refused(400, WANTED)
    return token.encode()


def _available(answer: Callable[[Request], Awaitable[Response]]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        try:
            return await answer(request)
        except (StoreUnavailable, IdentityUnavailable) as error:
            log.error("identity_unavailable", reason=str(error))
            response = refused(503, "nobody can be asked about the token now")
            response.headers["Retry-After"] = "1"
            return response

    return endpoint


def _rejected(status: int, error: Exception) -> Response:
    """The reasons never show a token."""
    log.info("token_rejected", reason=str(error))
    return refused(status, str(error))


def _token(request: Request) -> bytes | None:
    """As in the monolith, the scheme does not matter, and exactly two parts are wanted (contract §3.1)."""
    parts = request.headers.get("authorization", "").encode("latin-1").split(b" ")
    return parts[1] if len(parts) == 2 and all(parts) else None


def _seconds(at: datetime) -> int:
    return int(at.timestamp())
