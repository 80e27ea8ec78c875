"""The operators' routes for rewards.

GET /internal/rewards?after=ID&limit=N (pages of rows, for audits) · GET /internal/status (the outbox)
GET /internal/queues (the same, as the gateway shows it)
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from chassis.auth.credentials import SharedTokens, guarded, refused
from chassis.service import operators_status_api, pages
from chassis.service.operators_status_api import Queues
from chassis.uuid_text import canonical_uuid
from extracted.learning.rewards.domain import Reward
from extracted.learning.rewards.ports import RewardRecords

MOST_PER_PAGE: Final = 1000
Status = Callable[[], Awaitable[Mapping[str, object]]]


def routes(records: RewardRecords, status: Status, queues: Queues, token: str) -> Iterator[Route]:
    """For bearers of the token."""
    operators = SharedTokens(token)
    yield Route("/internal/rewards", guarded(operators, partial(_page, records)))
    yield Route("/internal/status", guarded(operators, partial(_status, status)))
    for method, path, endpoint in operators_status_api.routes(queues):
        yield Route(path, guarded(operators, endpoint), methods=[method])


async def _page(records: RewardRecords, request: Request) -> Response:
    after, limit = request.query_params.get("after"), pages.limit(request, MOST_PER_PAGE, MOST_PER_PAGE)
    if limit is None:
        return refused(400, f"limit must be a number from 1 to {MOST_PER_PAGE}")
    if after is not None and canonical_uuid(after) is None:
        return refused(400, "after is not a UUID")
    rows = [_shown(row) for row in await records.rows(after and canonical_uuid(after), limit)]
    return JSONResponse({"rows": rows, "next": rows[-1]["id"] if len(rows) == limit else None})


async def _status(status: Status, _request: Request) -> Response:
    return JSONResponse(await status())


def _shown(row: Reward) -> dict[str, object]:
    what = {"id": row.id, "userId": row.user_id, "componentId": row.component_id, "contentId": row.content_id}
    times = {"createdAt": row.created_at.isoformat(), "changedAt": row.changed_at.isoformat()}
    return {**what, "amount": row.amount, "state": row.state, **times}
