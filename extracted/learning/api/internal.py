"""Routes of operators below /internal/, with a credential of their own; users cannot reach them."""

from collections.abc import Sequence
from typing import Final

from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

PREFIX: Final = "/internal/"


def application(public: ASGIApp, routes: Sequence[Route]) -> ASGIApp:
    """Serves these routes; `public` answers all other paths."""
    if not routes:
        return public
    internal = Router(routes, redirect_slashes=False)

    async def dispatch(scope: Scope, receive: Receive, send: Send) -> None:
        is_internal = scope["type"] == "http" and scope["path"].startswith(PREFIX)
        await (internal if is_internal else public)(scope, receive, send)

    return dispatch
