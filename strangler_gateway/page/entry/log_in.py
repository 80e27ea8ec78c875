"""Logs in with a credential of the admin API, and out."""

import logging
from collections.abc import Callable
from math import ceil

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from strangler_gateway.admin.requests import AdminRefusal, address
from strangler_gateway.page.entry.door import LOG_IN, Shows, first, local
from strangler_gateway.page.entry.forms import check_origin, fields
from strangler_gateway.page.entry.visitor import Visitors
from strangler_gateway.page.entry.wrong_credentials import WrongCredentials
from strangler_gateway.page.render import NEVER_STORED

log = logging.getLogger(__name__)

MAX_NAME = 60


class LogIn:
    """`show` renders a template."""

    def __init__(self, visitors: Visitors, clock: Callable[[], float], show: Shows) -> None:
        self._visitors, self._show = visitors, show
        self._attempts = WrongCredentials(clock)

    async def form(self, request: Request) -> Response:
        """Goes on at once for somebody who is logged in."""
        target = local(request.query_params.get("next", ""))
        session = self._visitors.sessions.find(self._visitors.key(request))
        if session is not None and "again" not in request.query_params:
            return RedirectResponse(target, 303, NEVER_STORED)
        return self._form(request, target)

    async def enter(self, request: Request) -> Response:
        """303 to where somebody wanted to go, or the form again."""
        target = "/ui"
        try:
            check_origin(request)
            given = await fields(request)
            target = local(given.get("next", ""))
            wait = self._attempts.wait_s(address(request))
            if wait:
                text = f"too many wrong credentials; wait {ceil(wait)} s"
                return self._form(request, target, text, 429, {"Retry-After": str(ceil(wait))})
            holder = self._visitors.access.holder(first(given, "credential"))
        except AdminRefusal as exc:
            return self._form(request, target, str(exc), exc.status)
        if holder is None:
            self._attempts.failed(address(request))
            log.warning("somebody at %s has given an unknown credential to the page", address(request))
            return self._form(request, target, "this credential is unknown", 403)
        self._visitors.sessions.close(self._visitors.key(request))
        response = RedirectResponse(target, 303, NEVER_STORED)
        key = self._visitors.sessions.open(holder, first(given, "name")[:MAX_NAME])
        self._visitors.remember(request, response, key)
        log.info("%s at %s has logged in to the page, as %s", holder.name, address(request), holder.role)
        return response

    async def leave(self, request: Request) -> Response:
        """A form of another site cannot have the cookie, so there is no harm in it."""
        response = RedirectResponse(LOG_IN, 303, NEVER_STORED)
        self._visitors.forget(request, response)
        return response

    def _form(
        self, request: Request, target: str, problem: str = "", status: int = 200, more: dict[str, str] | None = None
    ) -> Response:
        response = self._show(request, None, "login.html", status, next=target, problem=problem)
        response.headers.update(more or {})
        return response
