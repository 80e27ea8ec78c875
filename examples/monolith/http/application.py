"""What surrounds every route of a Nest application: preflights, headers, error bodies, counters."""

import logging
from abc import ABC, abstractmethod
from time import perf_counter

from sqlalchemy.exc import SQLAlchemyError
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from examples.monolith.http.metrics import Metrics
from examples.monolith.http.refusals import InternalFailure, Refusal, UncaughtFailure, not_found
from examples.monolith.http.wire import Answer, answer_json, preflight, raw_path, respond

logger = logging.getLogger(__name__)


class Application(ABC):
    """An ASGI application for every path."""

    def __init__(self, *, production: bool) -> None:
        self.production = production
        self.metrics = Metrics()

    @abstractmethod
    async def handled(self, request: Request) -> Answer:
        """Raises Refusal, InternalFailure, UncaughtFailure."""

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

    async def _answer(self, request: Request) -> Answer:
        """Every failure ends here as one of Nest's error bodies."""
        try:
            return await self.handled(request)
        except Refusal as refusal:
            return answer_json(refusal.status, refusal.body())
        except (InternalFailure, SQLAlchemyError, RecursionError) as failure:
            logger.warning("%s %s: %s", request.method, raw_path(request), type(failure).__name__)
            return answer_json(500, Refusal(500).body() if self.production else {})
        except UncaughtFailure:
            return _uncaught()
        except Exception:
            logger.exception("%s %s", request.method, raw_path(request))
            return _uncaught()


def _uncaught() -> Answer:
    return answer_json(500, Refusal(500, "Internal server error", named=False).body())


def no_route(request: Request) -> Refusal:
    target: bytes = request.scope["state"]["target"]
    return not_found(f"Cannot {request.method} {target.decode('latin-1')}")
