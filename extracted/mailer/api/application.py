"""Mailer's routes. Services may POST /mails and GET /mails/{id}; operators may use all. Users reach none of them."""

import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final

import yaml
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.auth.credentials import Endpoint, SharedTokens, guarded, refused
from chassis.service import failed_messages_api, operators_status_api
from chassis.service.failed_messages_api import FailedMessageOperations
from chassis.service.operators_status import QueueStatus
from chassis.service.operators_status_api import Queues, failed_message_queues
from extracted.mailer.api import mail_queries, mail_requests, operator_actions
from extracted.mailer.operations import MailOperations
from extracted.mailer.ports import Mails, Suppressions, TemplateCatalog
from extracted.mailer.service import Intake

DOCUMENT: Final = Path(__file__).parents[1] / "openapi.yaml"


@dataclass(frozen=True, slots=True)
class ApiTokens:
    """None: there is no such token, and its routes do not exist."""

    internal: str | None = field(repr=False)
    operator: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class RouteDependencies:
    """What the routes call. `status`: as JSON; `queues`: of mails."""

    intake: Intake
    operations: MailOperations
    mails: Mails
    suppressions: Suppressions
    templates: TemplateCatalog
    failed_messages: FailedMessageOperations
    status: Callable[[], Awaitable[Mapping[str, object]]]
    queues: Queues


def application(dependencies: RouteDependencies, credentials: ApiTokens) -> ASGIApp:
    """Leaves out routes whose token is not set (404)."""
    return Router([*_routes(dependencies, credentials)], redirect_slashes=False)


def for_services(dependencies: RouteDependencies) -> Iterator[tuple[str, str, Endpoint]]:
    """Routes that both tokens may use."""
    yield from mail_requests.routes(dependencies.intake)
    yield from mail_queries.one(dependencies.mails)


def for_operators(dependencies: RouteDependencies) -> Iterator[tuple[str, str, Endpoint]]:
    """Routes for the operator token. They stand before those with an id in the path."""
    yield from mail_queries.routes(dependencies.mails, dependencies.templates, dependencies.intake.canonical)
    yield from operator_actions.routes(dependencies.operations, dependencies.suppressions)
    yield "GET", "/internal/status", partial(_status, dependencies)
    yield from operators_status_api.routes(partial(_queues, dependencies))
    yield from failed_messages_api.routes(dependencies.failed_messages)


async def failure(scope: Scope, receive: Receive, send: Send) -> None:
    """The response where a route has raised."""
    await refused(500, "Mailer failed; see its log")(scope, receive, send)


def description() -> bytes:
    """The OpenAPI document, as JSON."""
    document = yaml.safe_load(DOCUMENT.read_text(encoding="utf-8"))
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _routes(dependencies: RouteDependencies, credentials: ApiTokens) -> Iterator[Route]:
    operator, services = credentials.operator, [one for one in (credentials.internal, credentials.operator) if one]
    for method, path, endpoint in for_operators(dependencies) if operator else ():
        yield Route(path, guarded(SharedTokens(operator or ""), endpoint), methods=[method])
    for method, path, endpoint in for_services(dependencies) if services else ():
        yield Route(path, guarded(SharedTokens(*services), endpoint), methods=[method])


async def _status(dependencies: RouteDependencies, _request: Request) -> Response:
    return JSONResponse(await dependencies.status())


async def _queues(dependencies: RouteDependencies) -> Sequence[QueueStatus]:
    """Mails first."""
    return [*await dependencies.queues(), *await failed_message_queues(dependencies.failed_messages)]
