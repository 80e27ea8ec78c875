"""Routes of operators below /internal/, with a credential of their own; users cannot reach them.

GET /internal/purchases?state=&older_than_s=&after=&limit= (state can be repeated) · GET /internal/purchases/{id}
POST /internal/purchases/{id}/resume, …/cancel, …/refund {"why": "...", "by"?: "..."}
GET /internal/audit (fresh) · GET /internal/status (open purchases, outbox, consumers, the last audit of the timer)
GET /internal/queues (the operators' status that the gateway shows)
"""

import json
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from typing import Final

from starlette.datastructures import QueryParams
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from chassis.auth.credentials import Endpoint, SharedTokens, guarded, refused
from chassis.service import failed_messages_api, operators_status_api
from chassis.service.failed_messages_api import FailedMessageOperations
from chassis.service.operators_status_api import Queues
from extracted.account.purchases.api.purchases import shown, time
from extracted.account.purchases.domain.purchase import Purchase
from extracted.account.purchases.domain.saga import PurchaseState
from extracted.account.purchases.operator_ports import (
    Audit,
    InterventionReason,
    InterventionRefused,
    PurchaseFilter,
    Timeline,
)
from extracted.account.purchases.service.operations import PurchaseOperations
from extracted.account.purchases.service.queries import FoundPurchase

PREFIX = "/internal/"
MOST_PER_PAGE: Final = 1000
MOST_WORDS: Final = 500
MOST_NAME: Final = 100
Status = Callable[[], Awaitable[Mapping[str, object]]]
Change = Callable[[str, InterventionReason], Awaitable[Purchase | None]]


def application(
    public: ASGIApp,
    token: str | None,
    operations: PurchaseOperations,
    messages: FailedMessageOperations,
    status: Status,
    queues: Queues,
    records: Iterable[tuple[str, str, Endpoint]] = (),
) -> ASGIApp:
    """`public` answers all other paths; without a token it answers all paths.

    `records`: further internal routes (method, path, endpoint).
    """
    if token is None:
        return public
    operators = SharedTokens(token)
    own = [
        Route(path, guarded(operators, endpoint), methods=[method])
        for method, path, endpoint in (
            *_routes(operations, status),
            *records,
            *operators_status_api.routes(queues),
            *failed_messages_api.routes(messages),
        )
    ]
    internal = Router(own, redirect_slashes=False)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        is_internal = scope["type"] == "http" and scope["path"].startswith(PREFIX)
        await (internal if is_internal else public)(scope, receive, send)

    return dispatch


def _routes(operations: PurchaseOperations, status: Status) -> Iterator[tuple[str, str, Endpoint]]:
    yield "GET", "/internal/purchases", partial(_list, operations)
    yield "GET", "/internal/purchases/{id}", partial(_get, operations)
    yield "POST", "/internal/purchases/{id}/resume", partial(_change, operations.resume)
    yield "POST", "/internal/purchases/{id}/cancel", partial(_change, operations.cancel)
    yield "POST", "/internal/purchases/{id}/refund", partial(_change, operations.refund)
    yield "GET", "/internal/audit", partial(_audit, operations)
    yield "GET", "/internal/status", partial(_status, status)


async def _list(operations: PurchaseOperations, request: Request) -> Response:
    selection = _selection(operations, request.query_params)
    if isinstance(selection, Response):
        return selection
    found = [_row(one) for one in await operations.listed(selection)]
    return JSONResponse({"purchases": found, "next": found[-1]["id"] if len(found) == selection.limit else None})


def _selection(operations: PurchaseOperations, query: QueryParams) -> PurchaseFilter | Response:
    limit, age, states = query.get("limit", "100"), query.get("older_than_s", "0"), query.getlist("state")
    if not _is_number(limit) or not 1 <= int(limit) <= MOST_PER_PAGE:
        return refused(400, f"limit must be a number from 1 to {MOST_PER_PAGE}")
    if not _is_number(age):
        return refused(400, "older_than_s must be a number")
    if not set(states) <= set(PurchaseState):
        return refused(400, f"state must be one of {', '.join(PurchaseState)}")
    older_than = operations.clock() - timedelta(seconds=int(age)) if int(age) else None
    return PurchaseFilter(int(limit), list(map(PurchaseState, states)), older_than, query.get("after"))


async def _get(operations: PurchaseOperations, request: Request) -> Response:
    timeline = await operations.timeline(request.path_params["id"])
    return _unknown() if timeline is None else JSONResponse(_timeline(timeline))


async def _change(change: Change, request: Request) -> Response:
    reason = await _reason(request)
    if reason is None:
        return refused(400, 'wanted {"why": "a reason"}, perhaps with "by": "a name"')
    try:
        purchase = await change(request.path_params["id"], reason)
    except InterventionRefused as error:
        return refused(409, str(error))
    return _unknown() if purchase is None else JSONResponse(_row(purchase))


async def _audit(operations: PurchaseOperations, _request: Request) -> Response:
    return JSONResponse(audited(await operations.audit()))


async def _status(status: Status, _request: Request) -> Response:
    return JSONResponse(await status())


def audited(audit: Audit) -> dict[str, object]:
    """The audit as JSON."""
    breaches = [{"kind": breach.kind, "purchaseId": breach.purchase_id} for breach in audit.breaches]
    return {"at": time(audit.at), "breaches": breaches}


async def _reason(request: Request) -> InterventionReason | None:
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        return None
    if not isinstance(body, dict):
        return None
    why, by = _words(body.get("why"), MOST_WORDS), _words(body.get("by", "an operator"), MOST_NAME)
    return None if why is None or by is None else InterventionReason(by, why)


def _words(given: object, most: int) -> str | None:
    """None: it cannot be kept."""
    is_text = isinstance(given, str) and given.strip() and "\0" not in given
    return str(given)[:most].encode("utf-8", "replace").decode() if is_text else None


def _row(one: Purchase) -> dict[str, object]:
    times = {"createdAt": time(one.created_at), "settledAt": time(one.settled_at), "revokedAt": time(one.revoked_at)}
    what = {"id": one.id, "userId": one.user_id, "itemId": one.item_id, "price": one.price}
    return {**what, "state": one.state, "reason": one.reason, "commands": one.asks, **times}


def _timeline(timeline: Timeline) -> dict[str, object]:
    lines = [
        {"kind": line.kind, "delta": line.delta, "pointsAfter": line.points_after, "at": time(line.at)}
        for line in timeline.ledger
    ]
    done = [{"action": one.action, "why": one.why, "by": one.by, "at": time(one.at)} for one in timeline.interventions]
    steps = shown(FoundPurchase(None, timeline.purchase))["steps"]
    return {**_row(timeline.purchase), "steps": steps, "ledger": lines, "interventions": done}


def _unknown() -> Response:
    return refused(404, "there is no such purchase")


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10
