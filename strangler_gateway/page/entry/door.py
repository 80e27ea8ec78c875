"""What stands before every page: who asks, may he, and was a form sent by the page itself."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from strangler_gateway.admin.requests import AdminRefusal
from strangler_gateway.page.entry.forms import check_origin, check_token, fields
from strangler_gateway.page.entry.visitor import Visitor, Visitors
from strangler_gateway.page.render import NEVER_STORED

Endpoint = Callable[[Request], Awaitable[Response]]
Reads = Callable[[Request, Visitor], Awaitable[Response]]
Acts = Callable[[Request, Visitor, Mapping[str, str]], Awaitable[Response]]
Shows = Callable[..., Response]
LOG_IN = "/ui/login"


class Door:
    """`show` renders a template for a visitor."""

    def __init__(self, visitors: Visitors, show: Shows) -> None:
        self._visitors, self._show = visitors, show

    def reads(self, handler: Reads) -> Endpoint:
        """For readers and operators; others log in first."""
        return self._guarded(handler, self._log_in, use=True)

    def follows(self, handler: Reads, ended: Callable[[Request], Response] | None = None) -> Endpoint:
        """The same for what an open page asks by itself: that does not keep a log-in from ending.

        `ended` answers instead of the form once it has.
        """
        return self._guarded(handler, ended or self._log_in, use=False)

    def _guarded(self, handler: Reads, log_in: Callable[[Request], Response], *, use: bool) -> Endpoint:

        async def guarded(request: Request) -> Response:
            visitor: Visitor | None = None
            try:
                visitor = self._visitors.of(request, use=use)
                return await handler(request, visitor) if visitor is not None else log_in(request)
            except AdminRefusal as exc:
                return self._refused(request, visitor, exc)

        return guarded

    def acts(self, handler: Acts) -> Endpoint:
        """For operators, with a form of this page."""

        async def guarded(request: Request) -> Response:
            visitor: Visitor | None = None
            try:
                visitor = self._visitors.of(request)
                if visitor is None:
                    return RedirectResponse(LOG_IN, 303, NEVER_STORED)
                if not visitor.acts:
                    raise self._no_operator(visitor)
                check_origin(request)
                form = await fields(request)
                check_token(form, visitor.form_token)
                return await handler(request, visitor, form)
            except AdminRefusal as exc:
                return self._refused(request, visitor, exc)

        return guarded

    def _log_in(self, request: Request) -> Response:
        """A link that was followed from another site comes without the cookie: this page asks once more, by itself."""
        query = f"?{request.url.query}" if request.url.query else ""
        target = f"{LOG_IN}?{urlencode({'next': request.url.path + query})}"
        if request.headers.get("sec-fetch-site") == "cross-site":
            return self._show(request, None, "enter.html", target=target)
        return RedirectResponse(target, 303, NEVER_STORED)

    def _no_operator(self, visitor: Visitor) -> AdminRefusal:
        if visitor.session is None:
            return AdminRefusal(403, "denied", "only an operator may do this: log in with an operator's credential")
        return AdminRefusal(403, "denied", f"{visitor.name} may only read: log in with an operator's credential")

    def _refused(self, request: Request, visitor: Visitor | None, exc: AdminRefusal) -> Response:
        return self._show(request, visitor, "refused.html", exc.status, message=str(exc))


def local(path: str) -> str:
    """A path of this page to go on with after a log-in; never another site."""
    inside = path.startswith("/ui") and path[3:4] in ("", "/", "?") and "\\" not in path and path.isprintable()
    return path if inside and path.isascii() and not path.startswith(LOG_IN) else "/ui"


def first(values: Mapping[str, Any], name: str) -> str:
    """A field without spaces around it; empty if it is not there."""
    return str(values.get(name, "")).strip()
