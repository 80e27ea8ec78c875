"""The stand-in put together, and the order in which a request is looked at."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from time import perf_counter
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from examples.monolith import authentication, emails, platform, shop, users
from examples.monolith.access import Access, Asked, authenticate, authorize
from examples.monolith.body import read_body
from examples.monolith.database import Database
from examples.monolith.documents import ObjectIds
from examples.monolith.listing import read_page
from examples.monolith.metrics import Metrics
from examples.monolith.querystring import parse_query
from examples.monolith.refusals import InternalFailure, Refusal, UncaughtFailure, bad_request, not_found
from examples.monolith.routing import NO_PAGE, Call, Route, Router
from examples.monolith.settings import Settings
from examples.monolith.tokens import Subject, Tokens
from examples.monolith.validation import violations
from examples.monolith.wire import Answer, answer_json, preflight, respond

logger = logging.getLogger(__name__)

ROUTES = platform.ROUTES + authentication.ROUTES + users.ROUTES + emails.ROUTES + shop.ROUTES


class Monolith:
    """What handlers share, and the ASGI application over it."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.database = Database(settings.database_url)
        self.object_ids = ObjectIds()
        self.tokens = Tokens(settings)
        self.metrics = Metrics()
        self._router = Router(ROUTES)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._response(request)
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return preflight(request, production=self.settings.production)
        started = perf_counter()
        answer = await self._answer(request)
        response = respond(request, answer, production=self.settings.production)
        self.metrics.count(request.method, raw_path(request), response.status_code, perf_counter() - started)
        return response

    async def _answer(self, request: Request) -> Answer:
        """Every failure ends here as one of Nest's error bodies."""
        try:
            return await self._handled(request)
        except Refusal as refusal:
            return answer_json(refusal.status, refusal.body())
        except (InternalFailure, SQLAlchemyError) as failure:
            logger.warning("%s %s: %s", request.method, raw_path(request), type(failure).__name__)
            return answer_json(500, Refusal(500).body() if self.settings.production else {})
        except UncaughtFailure:
            return answer_json(500, Refusal(500, "Internal server error", named=False).body())
        except Exception:
            logger.exception("%s %s", request.method, raw_path(request))
            return answer_json(500, Refusal(500, "Internal server error", named=False).body())

    async def _handled(self, request: Request) -> Answer:
        body = await read_body(request)
        found = self._router.find(request.method, raw_path(request))
        if found is None:
            raise not_found(f"Cannot {request.method} {target(request)}")
        route, params = found
        subject = await self._guarded(route.access, params, body, request.headers.get("authorization"))
        query = parse_query(request.scope["query_string"].decode("latin-1"))
        page = read_page(route.listing, query) if route.listing else NO_PAGE
        route.check(params)
        self._validate(route, body)
        return await route.handler(Call(self, params, body, page, subject))

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

    def _validate(self, route: Route, body: Any) -> None:
        if route.body is None:
            return
        shape = route.body(body) if callable(route.body) else route.body
        if found := violations(shape, body):
            raise bad_request(None if self.settings.production else found)


def raw_path(request: Request) -> str:
    return str(request.scope["raw_path"].decode("latin-1"))


def target(request: Request) -> str:
    query = request.scope["query_string"].decode("latin-1")
    return f"{raw_path(request)}?{query}" if query else raw_path(request)


def create_app(settings: Settings) -> Starlette:
    """The ASGI application; tables are made when it starts, connections closed when it ends."""
    monolith = Monolith(settings)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        await monolith.database.create_tables()
        yield
        await monolith.database.aclose()

    app = Starlette(lifespan=lifespan)
    app.router.default = monolith  # every path, also those that no pattern of Starlette's matches
    return app
