"""A complete service with one route: reads settings, verifies the gateway's token, answers. Copy the folder."""

import argparse
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from pydantic import Field
from pydantic_settings import SettingsConfigDict
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router

from chassis import settings
from chassis.auth.tokens import TokenVerifier
from chassis.service import logs, server, web

JSON = "application/json; charset=utf-8"
"""The content type as the monolith writes it."""


class Settings(settings.ServiceSettings):
    """Environment variables with the prefix SERVICE_."""

    model_config = SettingsConfigDict(env_prefix="SERVICE_")

    jwks_url: str = Field(pattern=r"^https?://[^/\s]+/\S*$")
    """The gateway's public keys: http://ADMIN_HOST:ADMIN_PORT/.well-known/jwks.json."""
    audience: str = "whoami"
    """The service's name in routes.yaml."""


def whoami(verifier: TokenVerifier) -> Callable[[Request], Awaitable[Response]]:
    """The one route. Unknown callers get the monolith's answer: 401."""

    async def endpoint(request: Request) -> Response:
        user = (await web.caller(request.headers.raw, verifier)).subject
        return JSONResponse({"user": user}, 200 if user else 401, media_type=JSON)

    return endpoint


FAILURE = Response("", 500)
"""What a client gets when the route raises."""


async def ready() -> None:
    """Raises while the service cannot work. This one depends on nothing, so it never raises."""


def build(verifier: TokenVerifier) -> Starlette:
    """The application: /whoami, /health/live, /health/ready."""

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await verifier.aclose()

    routes = Router([Route("/whoami", whoami(verifier))])
    return web.application(routes, failure=FAILURE, ready=ready, lifespan=lifespan)


def main() -> int:
    """Prints the address and serves. The exit code: 0 stopped, 1 could not listen, 2 wrong settings."""
    parser = argparse.ArgumentParser(description="Answers who the gateway says you are.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8103, help="0 takes a free port")
    options = parser.parse_args()
    try:
        given = settings.load(Settings)
    except settings.SettingsInvalid as error:
        print(error, file=sys.stderr)
        return 2
    logs.configure("whoami")
    return server.serve(build(TokenVerifier(given.audience, jwks_url=given.jwks_url)), options.host, options.port)


if __name__ == "__main__":
    sys.exit(main())
