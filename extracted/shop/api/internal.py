"""Routes below /internal/, which no user reaches: offers for Account, and what operators read and change.

Account and operators have different credentials. A route whose credential is not configured does not exist.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.auth.credentials import CallerCheck, SharedTokens, guarded
from chassis.service import failed_messages_api, operators_status_api
from chassis.service.failed_messages_api import FailedMessageOperations
from chassis.service.operators_status_api import Queues
from extracted.shop.api import offers, records
from extracted.shop.ports import AuditRecords, TransactionRecords
from extracted.shop.service import Shop

PREFIX = "/internal/"


@dataclass(frozen=True, slots=True)
class OperatorViews:
    """What operators can read. `status`: the state of queue and outbox, as JSON; `queues`: for the gateway's page."""

    records: AuditRecords
    transactions: TransactionRecords
    failed_messages: FailedMessageOperations
    status: Callable[[], Awaitable[Mapping[str, object]]]
    queues: Queues


@dataclass(frozen=True, slots=True)
class InternalCredentials:
    """`account`: who may ask for offers; `operator`: a token. None: not configured."""

    account: CallerCheck | None = field(repr=False)
    operator: str | None = field(repr=False)


def application(
    public: ASGIApp, *, shop: Shop, credentials: InternalCredentials, views: OperatorViews | None
) -> ASGIApp:
    """Serves the internal routes; `public` answers every other path."""
    own = [*_for_account(shop, credentials.account), *_for_operators(views, credentials.operator)]
    if not own:
        return public
    internal = Router(own, redirect_slashes=False, default=public)  # Account does not take its 404 for a missing item

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        is_internal = scope["type"] == "http" and scope["path"].startswith(PREFIX)
        await (internal if is_internal else public)(scope, receive, send)

    return dispatch


def _for_account(shop: Shop, callers: CallerCheck | None) -> Iterator[Route]:
    if callers is not None:
        yield from offers.routes(shop, callers)


def _for_operators(views: OperatorViews | None, token: str | None) -> Iterator[Route]:
    if token is None or views is None:
        return
    operators = SharedTokens(token)
    yield Route("/internal/status", guarded(operators, partial(_status, views)))
    for path, endpoint in records.routes(views.records, views.transactions):
        yield Route(path, guarded(operators, endpoint))
    own = *operators_status_api.routes(views.queues), *failed_messages_api.routes(views.failed_messages)
    for method, path, endpoint in own:
        yield Route(path, guarded(operators, endpoint), methods=[method])


async def _status(views: OperatorViews, _request: Request) -> Response:
    return JSONResponse(await views.status())
