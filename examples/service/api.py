"""HTTP: each route as the monolith answers it. The gateway's token says who is calling."""

import json
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import yaml
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from chassis.service import web
from chassis.service.web import Verifier
from examples.service.service import Reading

FAILURE = Response("", 500)
"""What a client gets when a route raises."""
_DOCUMENT = Path(__file__).with_name("openapi.yaml")
_JSON = "application/json; charset=utf-8"
_HTML = "text/html; charset=utf-8"

Endpoint = Callable[[Request], Awaitable[Response]]


def routes(verifier: Verifier, reading: Reading | None) -> Iterator[Route]:
    """Without `reading` only those that need no data."""
    yield Route("/whoami", _whoami(verifier), methods=["GET"])
    if reading is not None:
        yield Route("/shelf", _shelf(verifier, reading), methods=["GET"])


def description() -> bytes:
    """The OpenAPI document as JSON."""
    return json.dumps(yaml.safe_load(_DOCUMENT.read_text(encoding="utf-8"))).encode()


def _whoami(verifier: Verifier) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        user = (await web.caller(request.headers.raw, verifier)).subject
        return JSONResponse({"user": user}, 200 if user else 401, media_type=_JSON)

    return endpoint


def _shelf(verifier: Verifier, reading: Reading) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        reader = (await web.caller(request.headers.raw, verifier)).subject
        if reader is None:
            return RedirectResponse("/login", 303, {"content-type": _HTML})
        return HTMLResponse((await reading.shelf_of(reader)).page())

    return endpoint
