"""Routes below /internal/, which no user reaches: Account's offers, and what operators look at and do.

Each of the two credentials opens its own routes; without it they are not there.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.auth.credentials import guarded
from chassis.service import failed_messages_api
from chassis.service.failed_messages_api import FailedMessageOperations
from extracted.shop.api import offers, records
from extracted.shop.ports import Records, TransactionRecords
from extracted.shop.service import Shop

PREFIX = "/internal/"


@dataclass(frozen=True, slots=True)
class Operations:
    """What operators look at. `status`: how queue and outbox are, as JSON."""

    records: Records
    transactions: TransactionRecords
    failed_messages: FailedMessageOperations
    status: Callable[[], Awaitable[Mapping[str, object]]]


@dataclass(frozen=True, slots=True)
class Credentials:
    """Tokens."""

    account: str | None = field(repr=False)
    operator: str | None = field(repr=False)


def application(public: ASGIApp, shop: Shop, credentials: Credentials, operations: Operations | None) -> ASGIApp:
    """`public` answers all other paths, and all where there is no credential."""
    own = [*_for_account(shop, credentials.account), *_for_operators(operations, credentials.operator)]
    if not own:
        return public
    internal = Router(own, redirect_slashes=False, default=public)  # whose 404 Account takes for no missing item

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        is_internal = scope["type"] == "http" and scope["path"].startswith(PREFIX)
        await (internal if is_internal else public)(scope, receive, send)

    return dispatch


def _for_account(shop: Shop, token: str | None) -> Iterator[Route]:
    if token is not None:
        yield Route("/internal/offers/{item_id}", guarded(token, offers.endpoint(shop)))


def _for_operators(operations: Operations | None, token: str | None) -> Iterator[Route]:
    if token is None or operations is None:
        return
    yield Route("/internal/status", guarded(token, partial(_status, operations)))
    for path, endpoint in records.routes(operations.records, operations.transactions):
        yield Route(path, guarded(token, endpoint))
    for method, path, endpoint in failed_messages_api.routes(operations.failed_messages):
        yield Route(path, guarded(token, endpoint), methods=[method])


async def _status(operations: Operations, _request: Request) -> Response:
    return JSONResponse(await operations.status())
