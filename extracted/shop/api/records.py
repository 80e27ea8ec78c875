"""Pages of stored rows for audits: GET /internal/transactions, /internal/decisions, /internal/stock."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final, TypeVar

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chassis.auth.credentials import Endpoint, refused
from chassis.service import pages
from chassis.uuid_text import canonical_uuid
from extracted.shop.domain import DecisionRow, StockRow, TransactionRow
from extracted.shop.ports import AuditRecords, TransactionRecords

T = TypeVar("T")
MOST_PER_PAGE: Final = 1000


def routes(records: AuditRecords, transactions: TransactionRecords) -> Iterator[tuple[str, Endpoint]]:
    """(path, endpoint). `?after=ID&limit=N`: pass `next` as `after` to get the next page; null: this is the last."""
    yield "/internal/transactions", partial(_page, transactions.rows, _transaction)
    yield "/internal/decisions", partial(_page, records.decisions, _decision)
    yield "/internal/stock", partial(_page, records.stock, _stock)


async def _page(
    select: Callable[[str | None, int], Awaitable[Sequence[T]]],
    view: Callable[[T], Mapping[str, object]],
    request: Request,
) -> Response:
    after, limit = request.query_params.get("after"), pages.limit(request, MOST_PER_PAGE, MOST_PER_PAGE)
    if limit is None:
        return refused(400, f"limit must be a number from 1 to {MOST_PER_PAGE}")
    if after is not None and canonical_uuid(after) is None:
        return refused(400, "after is not a UUID")
    rows = [view(row) for row in await select(after and canonical_uuid(after), limit)]
    following = rows[-1]["id"] if len(rows) == limit else None
    return JSONResponse({"rows": rows, "next": following})


def _transaction(row: TransactionRow) -> Mapping[str, object]:
    times = {"createdAt": _time(row.created_at), "deletedAt": _time(row.deleted_at)}
    return {"id": row.id, "userId": row.user_id, "itemId": row.item_id, **times}


def _decision(row: DecisionRow) -> Mapping[str, object]:
    """`id` is the purchase's."""
    what = {"outcome": row.outcome, "reason": row.reason, "decidedAt": _time(row.decided_at)}
    return {"id": row.purchase_id, "userId": row.user_id, "itemId": row.item_id, **what}


def _stock(row: StockRow) -> Mapping[str, object]:
    """`id` is the item's."""
    counts = {"initial": row.initial, "restocked": row.restocked, "sold": row.sold, "available": row.available}
    return {"id": row.item_id, **counts}


def _time(time: datetime | None) -> str | None:
    """ISO 8601."""
    return None if time is None else time.isoformat()
