"""Templates and files of the page, with the fields that keep a browser from doing anything else."""

import gzip
import hashlib
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from strangler_gateway.page import texts

HERE = Path(__file__).parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
NEVER_STORED = {**HEADERS, "Cache-Control": "no-store", "Vary": "Cookie, Accept-Encoding"}
MEDIA_TYPES = {".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}
MIN_GZIP = 1000


def templates() -> Environment:
    """Everything that is shown is escaped."""
    loader = FileSystemLoader(HERE / "templates")
    env = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    env.filters |= texts.FILTERS
    env.globals["asset"] = lambda name: f"/ui/static/{name}?v={_file(name)[1]}"
    return env


def html(request: Request, text: str, status: int = 200) -> Response:
    """A page."""
    return _packed(request, HTMLResponse(text, status, headers=NEVER_STORED))


def as_json(request: Request, value: Any) -> Response:
    """The same as JSON."""
    return _packed(request, JSONResponse(value, headers=NEVER_STORED))


def to_json(value: Any) -> str:
    """For people."""
    return json.dumps(value, indent=2, ensure_ascii=False, sort_keys=False, default=str)


def static_file(request: Request, name: str) -> Response | None:
    """One of the page's own files; None: there is none of this name."""
    if name not in static_names():
        return None
    data, digest, packed = _file(name)
    fields = {**HEADERS, "Cache-Control": "public, max-age=31536000, immutable", "ETag": f'"{digest}"'}
    fields |= {"Vary": "Accept-Encoding"}
    if _takes_gzip(request):
        data, fields = packed, {**fields, "Content-Encoding": "gzip"}
    return Response(data, media_type=MEDIA_TYPES[Path(name).suffix], headers=fields)


@cache
def static_names() -> frozenset[str]:
    """What a browser may ask for."""
    return frozenset(path.name for path in (HERE / "static").iterdir() if path.suffix in MEDIA_TYPES)


@cache
def _file(name: str) -> tuple[bytes, str, bytes]:
    data = (HERE / "static" / name).read_bytes()
    return data, hashlib.sha256(data).hexdigest()[:16], gzip.compress(data)


def _packed(request: Request, response: Response) -> Response:
    body = bytes(response.body)
    if len(body) < MIN_GZIP or not _takes_gzip(request):
        return response
    response.body = gzip.compress(body, 1)
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Content-Length"] = str(len(response.body))
    return response


def _takes_gzip(request: Request) -> bool:
    return "gzip" in request.headers.get("accept-encoding", "")


Shown = Mapping[str, Any]
