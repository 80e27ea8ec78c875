"""GET routes: one mail, a page of mails, the kinds of mail, a preview."""

import re
from collections.abc import Iterator
from functools import partial
from typing import Final

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from chassis.auth.credentials import Endpoint, refused
from chassis.service import pages
from extracted.mailer.api import bodies, views
from extracted.mailer.domain import MailState
from extracted.mailer.ports import MailFilter, Mails, RequestInvalid, TemplateCatalog
from extracted.mailer.service import Canonical

MOST_PER_PAGE: Final = 500
_ID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


def one(mails: Mails) -> Iterator[tuple[str, str, Endpoint]]:
    """The route that services may use, too."""
    yield "GET", "/mails/{id}", partial(_get, mails)


def routes(mails: Mails, templates: TemplateCatalog, canonical: Canonical) -> Iterator[tuple[str, str, Endpoint]]:
    """For operators. Fixed paths stand before the one with an id."""
    yield "GET", "/mails", partial(_list, mails, canonical)
    yield "GET", "/mails/kinds", partial(_kinds, templates)
    yield "GET", "/mails/preview/{kind}", partial(_preview, templates)


def mail_id(request: Request) -> str | None:
    """The id in the path; None: no mail can have it."""
    return found if _ID.fullmatch(found := request.path_params["id"]) else None


def unknown() -> Response:
    """404."""
    return refused(404, "there is no such mail")


async def _get(mails: Mails, request: Request) -> Response:
    id = mail_id(request)
    found = None if id is None else await mails.find(id)
    return unknown() if found is None else JSONResponse(views.whole(*found))


async def _list(mails: Mails, canonical: Canonical, request: Request) -> Response:
    try:
        selection = _selection(canonical, request)
    except RequestInvalid as error:
        return refused(400, str(error))
    found = [views.mail(mail) for mail in await mails.select(selection)]
    return JSONResponse({"mails": found, "next": found[-1]["id"] if len(found) == selection.limit else None})


def _selection(canonical: Canonical, request: Request) -> MailFilter:
    query, limit = request.query_params, pages.limit(request, 100, MOST_PER_PAGE)
    kind, recipient, after = query.get("kind"), query.get("recipient"), query.get("after")
    states = query.getlist("state")
    if limit is None:
        raise RequestInvalid(f"limit must be a number from 1 to {MOST_PER_PAGE}")
    if not set(states) <= set(MailState):
        raise RequestInvalid(f"state must be one of {', '.join(MailState)}")
    if after is not None and not _ID.fullmatch(after):
        raise RequestInvalid("after must be the id of a mail")
    if kind is not None and not bodies.is_plain(kind):
        raise RequestInvalid("kind has a control character")
    of = [MailState(state) for state in states] or None
    return MailFilter(of, kind, None if recipient is None else canonical(recipient), after, limit)


async def _kinds(templates: TemplateCatalog, _request: Request) -> Response:
    return JSONResponse({"kinds": list(templates.names())})


async def _preview(templates: TemplateCatalog, request: Request) -> Response:
    try:
        seen = templates.preview(request.path_params["kind"], request.query_params.get("locale"))
    except RequestInvalid as error:
        return refused(404 if request.path_params["kind"] not in templates.names() else 400, str(error))
    return JSONResponse({"subject": seen.subject, "text": seen.text, "html": seen.html})
