"""Puts the stand-in together, and shows the order in which a request is checked."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request

from examples.monolith import platform
from examples.monolith.auth.access import Guards, PermissionRequest, authenticate, authorize
from examples.monolith.auth.tokens import Subject, Tokens
from examples.monolith.http.application import Application, no_route
from examples.monolith.http.body import read_body
from examples.monolith.http.listing import read_page
from examples.monolith.http.querystring import parse_query
from examples.monolith.http.wire import ResponseContent, raw_path
from examples.monolith.learning import contents, modules, submissions
from examples.monolith.outgoing.mailer import Mailer
from examples.monolith.outgoing.runner_client import RunnerClient
from examples.monolith.routing import NO_PAGE, CheckedRequest, Endpoint, Monolith, Router
from examples.monolith.settings import Settings
from examples.monolith.shop import items, purchases
from examples.monolith.storage.database import Database
from examples.monolith.storage.documents import ObjectIds
from examples.monolith.teams import members, teams
from examples.monolith.users import emails, log_in, user_settings, users
from examples.monolith.validation.shapes import refuse_invalid, stripped

ENDPOINTS = (
    *platform.ENDPOINTS,
    *log_in.ENDPOINTS,
    *users.ENDPOINTS,
    *emails.ENDPOINTS,
    *user_settings.ENDPOINTS,
    *teams.ENDPOINTS,
    *members.ENDPOINTS,
    *items.ENDPOINTS,
    *purchases.ENDPOINTS,
    *modules.ENDPOINTS,
    *contents.ENDPOINTS,
    *submissions.ENDPOINTS,
)


class MonolithApplication(Application):
    """Takes a request through all checks to its handler."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(production=settings.production)
        self.monolith = Monolith(
            settings=settings,
            database=Database(settings.database_url, settings.pool, settings.documents),
            object_ids=ObjectIds(),
            tokens=Tokens(settings),
            mailer=Mailer(settings.mail),
            runner=RunnerClient(settings.runner_url),
            metrics=self.metrics,
        )
        self._router = Router(ENDPOINTS)

    async def handle(self, request: Request) -> ResponseContent:
        body = await read_body(request)
        found = self._router.find(request.method, raw_path(request))
        if found is None:
            raise no_route(request)
        route, params = found
        subject = await self._guarded(route.guards, params, body, request.headers.get("authorization"))
        query = parse_query(request.scope["query_string"].decode("latin-1"))
        page = read_page(route.listing, query) if route.listing else NO_PAGE
        route.check(params)
        return await route.handler(
            CheckedRequest(self.monolith, params, self._validated(route, body) or {}, page, subject)
        )

    async def _guarded(
        self, guards: Guards, params: dict[str, str], body: Any, authorization: str | None
    ) -> Subject | None:
        if not guards.authenticated:
            return None
        async with self.monolith.database.read() as connection:
            subject = await authenticate(connection, self.monolith.tokens, authorization)
            if guards.permissions:
                await authorize(
                    connection, subject, guards.permissions, PermissionRequest(params, body, subject.user_id)
                )
        return subject

    def _validated(self, route: Endpoint, body: Any) -> Any:
        if route.body is None:
            return body
        shape = route.body(body) if callable(route.body) else route.body
        refuse_invalid(shape, body, production=self.production)
        return stripped(shape, body)


def create_app(settings: Settings) -> Starlette:
    """The ASGI application. It creates tables when it starts and closes connections when it ends."""
    application = MonolithApplication(settings)
    monolith = application.monolith

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await monolith.database.create_tables()
        yield
        await monolith.runner.aclose()
        await monolith.mailer.aclose()
        await monolith.database.aclose()

    app = Starlette(lifespan=lifespan)
    app.router.default = application  # takes every path, also those that no pattern of Starlette matches
    return app
