"""The composition root: reads the settings, builds everything, serves. Nothing imports it."""

import argparse
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette
from starlette.routing import Router

from chassis import settings
from chassis.auth.tokens import TokenVerifier
from chassis.service import logs, readiness, server, web
from examples.service import api
from examples.service.adapter import MonolithBooks
from examples.service.ports import Books
from examples.service.service import Reading
from examples.service.settings import Settings


def build(verifier: TokenVerifier, books: Books | None) -> Starlette:
    """The application: its routes, /health/live, /health/ready, /openapi.json. No books: no route that needs them."""
    description = api.description()
    routes = list(api.routes(verifier, Reading(books) if books else None))

    async def ready() -> None:
        if books is not None:
            await books.ping()

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await verifier.aclose()

    return web.application(
        Router(routes, redirect_slashes=False),
        failure=api.FAILURE,
        ready=ready,
        lifespan=lifespan,
        description=description,
        unserved=readiness.unserved(
            description, [("GET", route.path) for route in routes], "SERVICE_DATABASE is not set"
        ),
    )


def main() -> int:
    """Prints the address and serves. The exit code: 0 stopped, 1 could not listen, 2 wrong settings."""
    parser = argparse.ArgumentParser(description="Serves what readers read.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=8103, help="0 takes a free port")
    options = parser.parse_args()
    try:
        given = settings.load(Settings)
    except settings.SettingsInvalid as error:
        print(error, file=sys.stderr)
        return 2
    logs.configure(given.audience)
    verifier = TokenVerifier(given.audience, jwks_url=given.jwks_url)
    app = build(verifier, MonolithBooks(given.database) if given.database else None)
    return server.serve(app, options.host, options.port, service=given.audience)


if __name__ == "__main__":
    sys.exit(main())
