"""What operators change: POST /mails/{id}/cancel, …/retry, …/decide {"why", "by"?, "outcome"}; suppressions.

`…/decide/sent` and `…/decide/again` take the outcome from the path.
"""

from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chassis.auth.credentials import Endpoint, refused
from chassis.service import pages
from extracted.mailer.api import bodies, mail_queries, views
from extracted.mailer.api.bodies import BodyInvalid, BodyTooLarge
from extracted.mailer.domain import Mail
from extracted.mailer.operations import MailOperations, OperatorReason
from extracted.mailer.ports import MailStateConflict, RequestInvalid, Suppressions

MOST_PER_PAGE: Final = 500
MOST_WORDS: Final = 500
OUTCOMES: Final = {"sent": True, "again": False}
Change = Callable[[str, OperatorReason], Awaitable[Mail | None]]


def routes(operations: MailOperations, suppressions: Suppressions) -> Iterator[tuple[str, str, Endpoint]]:
    """Method, path, endpoint."""
    yield "GET", "/mails/suppressions", partial(_list, suppressions)
    yield "POST", "/mails/suppressions/lift", _with_refusals(partial(_lift, operations))
    yield "POST", "/mails/{id}/cancel", _with_refusals(partial(_change, operations.cancel))
    yield "POST", "/mails/{id}/retry", _with_refusals(partial(_change, operations.retry))
    yield "POST", "/mails/{id}/decide", _with_refusals(partial(_decide, operations))
    for outcome, is_sent in OUTCOMES.items():
        change = partial(_change, partial(_decided, operations, is_sent))
        yield "POST", f"/mails/{{id}}/decide/{outcome}", _with_refusals(change)


def _with_refusals(endpoint: Endpoint) -> Endpoint:
    """Turns exceptions into statuses."""

    async def answer(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (BodyInvalid, RequestInvalid) as error:
            return refused(400, str(error))
        except MailStateConflict as error:
            return refused(409, str(error))
        except BodyTooLarge as error:
            return refused(413, str(error))

    return answer


async def _change(change: Change, request: Request) -> Response:
    reason = _reason(await bodies.read(request, ("why", "by")))
    return await _changed(change, request, reason)


async def _decide(operations: MailOperations, request: Request) -> Response:
    body = await bodies.read(request, ("why", "by", "outcome"))
    reason, is_sent = _reason(body), OUTCOMES.get(str(body.get("outcome")))
    if is_sent is None:
        raise BodyInvalid('outcome is neither "sent" nor "again"')
    return await _changed(partial(_decided, operations, is_sent), request, reason)


async def _decided(operations: MailOperations, is_sent: bool, mail_id: str, reason: OperatorReason) -> Mail | None:
    return await operations.decide(mail_id, is_sent, reason)


async def _changed(change: Change, request: Request, reason: OperatorReason) -> Response:
    id = mail_queries.mail_id(request)
    mail = None if id is None else await change(id, reason)
    return mail_queries.unknown() if mail is None else JSONResponse(views.mail(mail))


async def _list(suppressions: Suppressions, request: Request) -> Response:
    limit, after = pages.limit(request, 100, MOST_PER_PAGE), request.query_params.get("after", "")
    if limit is None or not bodies.is_plain(after):
        return refused(400, f"limit must be a number from 1 to {MOST_PER_PAGE}, and after an address")
    found = [views.suppression(one) for one in await suppressions.listed(after, limit)]
    return JSONResponse({"suppressions": found, "next": found[-1]["recipient"] if len(found) == limit else None})


async def _lift(operations: MailOperations, request: Request) -> Response:
    body = await bodies.read(request, ("recipient", "why", "by"))
    if not await operations.lift(bodies.text(body, "recipient", 1000), _reason(body)):
        return refused(404, "this address is not suppressed")
    return JSONResponse({"lifted": True})


def _reason(body: dict[str, object]) -> OperatorReason:
    by = "an operator" if body.get("by") is None else bodies.text(body, "by", 100)
    return OperatorReason(by, bodies.text(body, "why", MOST_WORDS))
