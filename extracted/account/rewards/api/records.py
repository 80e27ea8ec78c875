"""Pages of paid rewards, for audits: GET /internal/rewards?after=ID&limit=N."""

from collections.abc import Iterator
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chassis.auth.credentials import Endpoint, refused
from chassis.service import pages
from chassis.uuid_text import canonical_uuid
from extracted.account.rewards.domain import PaidReward
from extracted.account.rewards.ports import RewardLedger

MOST_PER_PAGE: Final = 1000


def routes(ledger: RewardLedger) -> Iterator[tuple[str, str, Endpoint]]:
    """Pass `next` as `after` to get the next page; null: this is the last."""
    yield "GET", "/internal/rewards", partial(_page, ledger)


async def _page(ledger: RewardLedger, request: Request) -> Response:
    after, limit = request.query_params.get("after"), pages.limit(request, MOST_PER_PAGE, MOST_PER_PAGE)
    if limit is None:
        return refused(400, f"limit must be a number from 1 to {MOST_PER_PAGE}")
    if after is not None and canonical_uuid(after) is None:
        return refused(400, "after is not a UUID")
    rows = [_shown(row) for row in await ledger.rows(after and canonical_uuid(after), limit)]
    return JSONResponse({"rows": rows, "next": rows[-1]["id"] if len(rows) == limit else None})


def _shown(row: PaidReward) -> dict[str, object]:
    return {"id": row.id, "amount": row.amount, "pointsAfter": row.points_after, "at": row.at.isoformat()}
