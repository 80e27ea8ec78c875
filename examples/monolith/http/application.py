"""What surrounds every route of a Nest application: preflights, headers, error bodies, counters."""

import logging
from abc import ABC, abstractmethod
from time import perf_counter

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from examples.monolith.http.errors import HttpError, InternalFailure, UncaughtFailure, not_found
from examples.monolith.http.metrics import Metrics
from examples.monolith.http.wire import ResponseContent, json_content, preflight, raw_path, respond

logger = logging.getLogger(__name__)


class Application(ABC):
    """An ASGI application for every path."""

    def __init__(self, *, production: bool) -> None:
        self.production = production
        self.metrics = Metrics()

    @abstractmethod
    async def handle(self, request: Request) -> ResponseContent:
        """Raises HttpError, InternalFailure, UncaughtFailure."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        response = await self._response(request)
        await response(scope, receive, send)

    async def _response(self, request: Request) -> Response:
        if request.method == "OPTIONS":
            return preflight(request, production=self.production)
        started = perf_counter()
        response = respond(request, await self._answer(request), production=self.production)
        self.metrics.count(request.method, raw_path(request), response.status_code, perf_counter() - started)
        return response

    async def _answer(self, request: Request) -> ResponseContent:
        """Turns every failure into one of Nest's error bodies."""
        try:
            return await self.handle(request)
        except HttpError as refusal:
            return json_content(refusal.status, refusal.body())
        except (InternalFailure, SQLAlchemyError, RecursionError) as failure:
            logger.warning("%s %s: %s", request.method, raw_path(request), type(failure).__name__)
            return json_content(500, HttpError(500).body() if self.production else {})
        except UncaughtFailure:
            return _uncaught()
        except Exception:
            logger.exception("%s %s", request.method, raw_path(request))
            return _uncaught()


def _uncaught() -> ResponseContent:
    return json_content(500, HttpError(500, "Internal server error", named=False).body())


def no_route(request: Request) -> HttpError:
    target: bytes = request.scope["state"]["target"]
    return not_found(f"Cannot {request.method} {target.decode('latin-1')}")
