"""The API with which operators read, retry and discard failed messages.

GET /internal/parked?queue=&after=&limit= · GET /internal/parked/groups?queue= · GET /internal/parked/{id}
POST /internal/parked/redrive and /internal/parked/discard {"ids": [...], "why": "..."}
POST /internal/parked/{id}/retry and /internal/parked/{id}/drop {"why": "...", "by"?: "..."}: the same for one message
"""

import base64
import json
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Final, Protocol

import structlog
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chassis.auth.credentials import Endpoint, refused
from chassis.outbox.failed_messages.message import FailedMessage, FailedMessageGroup
from chassis.service import pages

log = structlog.get_logger("chassis.outbox.failed_messages")

MOST_PER_PAGE: Final = 500
MOST_WORDS: Final = 500
Change = Callable[[Sequence[str]], Awaitable[int]]


class FailedMessageOperations(Protocol):
    """The store of failed messages."""

    async def listed(self, queue: str | None, after: str, limit: int) -> Sequence[FailedMessage]:
        """In the order of ids, from the first after `after`."""
        ...

    async def grouped(self, queue: str | None) -> Sequence[FailedMessageGroup]:
        """By queue, type and reason."""
        ...

    async def get(self, parked_id: str) -> FailedMessage | None:
        """None: there is no such message."""
        ...

    async def redrive(self, ids: Sequence[str]) -> int:
        """Makes them due now. Returns how many exist."""
        ...

    async def discard(self, ids: Sequence[str]) -> int:
        """Deletes them. Returns how many existed."""
        ...


def routes(failed_messages: FailedMessageOperations) -> Iterator[tuple[str, str, Endpoint]]:
    """(method, path, endpoint). Paths with a fixed word come before the path with an id."""
    yield "GET", "/internal/parked", partial(_list, failed_messages)
    yield "GET", "/internal/parked/groups", partial(_groups, failed_messages)
    yield "GET", "/internal/parked/{id}", partial(_get, failed_messages)
    yield "POST", "/internal/parked/redrive", partial(_change, "redrive", failed_messages.redrive)
    yield "POST", "/internal/parked/discard", partial(_change, "discard", failed_messages.discard)
    yield "POST", "/internal/parked/{id}/retry", partial(_change_one, "redrive", failed_messages.redrive)
    yield "POST", "/internal/parked/{id}/drop", partial(_change_one, "discard", failed_messages.discard)


async def _list(failed_messages: FailedMessageOperations, request: Request) -> Response:
    query = request.query_params
    limit = pages.limit(request, 100, MOST_PER_PAGE)
    if limit is None:
        return refused(400, f"limit must be a number from 1 to {MOST_PER_PAGE}")
    rows = [_shown(row) for row in await failed_messages.listed(query.get("queue"), query.get("after", ""), limit)]
    return JSONResponse({"parked": rows, "next": rows[-1]["id"] if len(rows) == limit else None})


async def _groups(failed_messages: FailedMessageOperations, request: Request) -> Response:
    groups = [_group(group) for group in await failed_messages.grouped(request.query_params.get("queue"))]
    return JSONResponse({"groups": groups})


async def _get(failed_messages: FailedMessageOperations, request: Request) -> Response:
    found = await failed_messages.get(request.path_params["id"])
    if found is None:
        return refused(404, "there is no such message")
    content = {"properties": json.loads(found.properties), "body": _text(found.body)}
    return JSONResponse(dict(_shown(found)) | content)


async def _change(word: str, change: Change, request: Request) -> Response:
    """Logs the reason and how many messages it changed."""
    asked = await _asked(request)
    if asked is None:
        return refused(400, f'expected {{"ids": [1 to {MOST_PER_PAGE} texts], "why": "a reason"}}')
    ids, why = asked
    count = await change(ids)
    log.warning(f"parked_{word}", why=why, ids=ids[:20], asked=len(ids), count=count)
    return JSONResponse({"count": count})


async def _change_one(word: str, change: Change, request: Request) -> Response:
    """Logs the reason, and who wants it as the caller says."""
    body, id = await _object(request), request.path_params["id"]
    why, by = body.get("why"), body.get("by", "an operator")
    if not isinstance(why, str) or not why.strip() or not isinstance(by, str):
        return refused(400, 'expected {"why": "a reason"}')
    if not await change([id]):
        return refused(404, "there is no such message")
    log.warning(f"parked_{word}", why=why[:MOST_WORDS], by=by[:MOST_WORDS], ids=[id], asked=1, count=1)
    return JSONResponse({"count": 1})


async def _object(request: Request) -> Mapping[str, object]:
    """The body; empty if it is no JSON object."""
    try:
        body = json.loads(await request.body())
    except (ValueError, RecursionError):
        return {}
    return body if isinstance(body, dict) else {}


async def _asked(request: Request) -> tuple[list[str], str] | None:
    body = await _object(request)
    ids, why = body.get("ids"), body.get("why")
    if not isinstance(ids, list) or not all(isinstance(one, str) for one in ids):
        return None
    if not 1 <= len(ids) <= MOST_PER_PAGE or not isinstance(why, str) or not why.strip():
        return None
    return ids, why[:MOST_WORDS]


def _shown(row: FailedMessage) -> Mapping[str, object]:
    return {
        "id": row.id,
        "queue": row.queue,
        "messageId": row.message_id,
        "type": row.type,
        "size": row.size,
        "reason": row.reason,
        "attempts": row.attempts,
        "nextAttemptAt": _time(row.next_attempt_at),
        "firstAt": _time(row.first_at),
        "lastAt": _time(row.last_at),
    }


def _group(group: FailedMessageGroup) -> Mapping[str, object]:
    what = {"queue": group.queue, "type": group.type, "reason": group.reason, "count": group.count}
    return what | {"firstAt": _time(group.first_at), "lastAt": _time(group.last_at)}


def _text(body: bytes | None) -> object:
    """Text, or {"base64": …} for other bytes. None: the body was not kept."""
    if body is None:
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode()}


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
