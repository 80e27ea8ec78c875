"""The runner's routes as one ASGI application."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Final

from starlette.routing import Route, Router
from starlette.types import ASGIApp

from chassis.auth.credentials import CallerCheck
from chassis.service.metrics import Histogram, Metric
from extracted.runner.api import jobs, monolith
from extracted.runner.api.departure import ended_with_its_client
from extracted.runner.api.monolith import Imitation
from extracted.runner.api.node import RequestMetrics, as_node
from extracted.runner.languages.runtimes import Runtime
from extracted.runner.service import JobService
from extracted.wire import application as wire
from extracted.wire import openapi

DOCUMENT: Final = Path(__file__).parents[1] / "openapi.yaml"
Blocks = Callable[[], Iterator[Metric | Histogram]]


def application(
    service: JobService,
    runtimes: Mapping[str, Runtime],
    imitation: Imitation,
    metrics: Blocks,
    *,
    callers: CallerCheck | None,
    production: bool,
    clock: Callable[[], float],
    operators: Sequence[Route] = (),
) -> ASGIApp:
    """Without `callers` and `operators` only the monolith's routes exist."""
    requests = RequestMetrics()
    routes = monolith.routes(service, runtimes, imitation, lambda: chain(requests.blocks(), metrics()))
    public = as_node(wire.application(tuple(routes), production=production), requests, clock)
    own = [*operators, *(jobs.routes(service, runtimes, callers) if callers is not None else ())]
    return ended_with_its_client(Router(own, redirect_slashes=False, default=public) if own else public)


def description() -> bytes:
    """The OpenAPI document, as JSON."""
    return openapi.served(DOCUMENT)


def failure(*, production: bool) -> ASGIApp:
    """Answers when the application has raised."""
    return wire.failure(production=production)
