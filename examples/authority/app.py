"""For each request that a proxy asks about: the token that the service gets, or the refusal."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route as Path
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.auth.claims import CLIENT_ADDRESS, CLIENT_CREDENTIAL, Fields, Identity, IdentityProvider
from strangler_gateway.identity.authority import Authority
from strangler_gateway.identity.grants import refusal
from strangler_gateway.identity.signer import Signer
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import Route

UNAVAILABLE = 503


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent the request, and which provider knows it."""

    fields: Fields
    identity: Identity
    identified_by: IdentityProvider | None


def application(matcher: Matcher, authority: Authority, signer: Signer, *, named: bool) -> Starlette:
    """`/.well-known/jwks.json` has the public keys; every other path is a request that is asked about.

    `named`: X-Original-Method and X-Original-URI say which request that is. Behind a proxy that does not set them a
    client could name another one.
    """

    async def ask(request: Request) -> Response:
        route = routed(matcher, request, named=named)
        if route.extracted is None:
            return Response()
        try:
            identity = await confirmed(authority, request.headers.raw, route)
        except Exception:
            return Response(status_code=UNAVAILABLE)
        if route.auth.enforce == "gateway" and (refused := refusal(route.auth, identity)) is not None:
            return Response(status_code=refused.status)
        token = signer.token(identity, route.extracted.name).decode()
        return Response(headers={"Authorization": f"Bearer {token}", **passed_on(request, route)})

    async def keys(_request: Request) -> Response:
        return JSONResponse(signer.jwks())

    @asynccontextmanager
    async def closing(_app: Starlette) -> AsyncIterator[None]:
        yield
        await authority.aclose()

    app = Starlette(routes=[Path("/.well-known/jwks.json", keys)], lifespan=closing)
    app.router.default = as_asgi(ask)
    return app


def as_asgi(ask: Callable[[Request], Awaitable[Response]]) -> ASGIApp:
    """The endpoint for every method and path."""

    async def called(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            await (await ask(Request(scope, receive)))(scope, receive, send)

    return called


def routed(matcher: Matcher, request: Request, *, named: bool) -> Route:
    """Of the request that is asked about; a preflight asks for another method."""
    method, target = request.method, request.scope["raw_path"]
    if named:
        method = request.headers.get("x-original-method", "")
        target = request.headers.get("x-original-uri", "").encode("latin-1")
    if method == "OPTIONS":
        method = request.headers.get("access-control-request-method", method)
    return matcher.match(method.encode("latin-1"), target.partition(b"?")[0])[0]


async def confirmed(authority: Authority, fields: Fields, route: Route) -> Identity:
    """The caller as the live state knows it. Raises what the provider raises."""
    lines = [value for name, value in fields if name.lower() == b"authorization"]
    found = authority.identify(fields, lines[0] if len(lines) == 1 else b"")
    identity, provider = found if isinstance(found, tuple) else await found
    answer = authority.confirm(Caller(fields, identity, provider), route.auth)
    return answer if isinstance(answer, Identity) else await answer


def passed_on(request: Request, route: Route) -> dict[str, str]:
    """What the route wants the service to be told, as the proxy tells it."""
    told: dict[str, str] = {}
    if "address" in route.auth.pass_on:
        told[CLIENT_ADDRESS.decode()] = request.headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    if "credential" in route.auth.pass_on and "authorization" in request.headers:
        told[CLIENT_CREDENTIAL.decode()] = request.headers["authorization"]
    return told
