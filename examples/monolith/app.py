"""The stand-in put together, and the order in which a request is looked at."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request

from examples.monolith import (
    authentication,
    contents,
    emails,
    members,
    modules,
    platform,
    shop,
    submissions,
    teams,
    user_settings,
    users,
)
from examples.monolith.access import Access, Asked, authenticate, authorize
from examples.monolith.application import Application, no_route
from examples.monolith.body import read_body
from examples.monolith.database import Database
from examples.monolith.documents import ObjectIds
from examples.monolith.listing import read_page
from examples.monolith.mailer import Mailer
from examples.monolith.querystring import parse_query
from examples.monolith.routing import NO_PAGE, Call, Route, Router
from examples.monolith.runner import Runner
from examples.monolith.settings import Settings
from examples.monolith.tokens import Subject, Tokens
from examples.monolith.validation import refuse_invalid, stripped
from examples.monolith.wire import Answer, raw_path

ROUTES = (
    *platform.ROUTES,
    *authentication.ROUTES,
    *users.ROUTES,
    *emails.ROUTES,
    *user_settings.ROUTES,
    *teams.ROUTES,
    *members.ROUTES,
    *shop.ROUTES,
    *modules.ROUTES,
    *contents.ROUTES,
    *submissions.ROUTES,
)


class Monolith(Application):
    """What handlers share, and the order in which a request is looked at."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(production=settings.production)
        self.settings = settings
        self.database = Database(settings.database_url, settings.pool, settings.documents)
        self.object_ids = ObjectIds()
        self.tokens = Tokens(settings)
        self.mailer = Mailer(settings.mail)
        self.runner = Runner(settings.runner_url)
        self._router = Router(ROUTES)

    async def handled(self, request: Request) -> Answer:
        body = await read_body(request)
        found = self._router.find(request.method, raw_path(request))
        if found is None:
            raise no_route(request)
        route, params = found
        subject = await self._guarded(route.access, params, body, request.headers.get("authorization"))
        query = parse_query(request.scope["query_string"].decode("latin-1"))
        page = read_page(route.listing, query) if route.listing else NO_PAGE
        route.check(params)
        return await route.handler(Call(self, params, self._validated(route, body) or {}, page, subject))

    async def _guarded(
        self, access: Access, params: dict[str, str], body: Any, authorization: str | None
    ) -> Subject | None:
        if not access.authenticated:
            return None
        async with self.database.read() as connection:
            subject = await authenticate(connection, self.tokens, authorization)
            if access.permissions:
                await authorize(connection, subject, access.permissions, Asked(params, body, subject.user_id))
        return subject

    def _validated(self, route: Route, body: Any) -> Any:
        if route.body is None:
            return body
        shape = route.body(body) if callable(route.body) else route.body
        refuse_invalid(shape, body, production=self.production)
        return stripped(shape, body)


def create_app(settings: Settings) -> Starlette:
    """The ASGI application; tables are made when it starts, connections closed when it ends."""
    monolith = Monolith(settings)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await monolith.database.create_tables()
        yield
        await monolith.runner.aclose()
        await monolith.mailer.aclose()
        await monolith.database.aclose()

    app = Starlette(lifespan=lifespan)
    app.router.default = monolith  # every path, also those that no pattern of Starlette's matches
    return app
