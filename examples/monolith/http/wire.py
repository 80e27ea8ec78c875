"""Responses as Express, helmet and cors write them."""

import base64
import hashlib
import re
from dataclasses import dataclass
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from examples.monolith.http.javascript import stringify

JSON_TYPE = "application/json; charset=utf-8"
BODILESS = frozenset({204, 304})
_NO_CACHE = re.compile(r"(?:^|,)\s*no-cache\s*(?:,|$)")

HELMET = (
    (
        "Content-Security-Policy",
        "default-src 'self';base-uri 'self';block-all-mixed-content;font-src 'self' https: data:;form-action 'self';"
        "frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';script-src-attr 'none';"
        "style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests",
    ),
    ("Cross-Origin-Embedder-Policy", "require-corp"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("X-DNS-Prefetch-Control", "off"),
    ("Expect-CT", "max-age=0"),
    ("X-Frame-Options", "SAMEORIGIN"),
    ("Strict-Transport-Security", "max-age=15552000; includeSubDomains"),
    ("X-Download-Options", "noopen"),
    ("X-Content-Type-Options", "nosniff"),
    ("Origin-Agent-Cluster", "?1"),
    ("X-Permitted-Cross-Domain-Policies", "none"),
    ("Referrer-Policy", "no-referrer"),
    ("X-XSS-Protection", "0"),
)
EXPRESS = (("X-Powered-By", "Express"),)

Headers = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class ResponseContent:
    """Status and content, before the client's conditions (If-None-Match) are applied."""

    status: int
    body: bytes
    media_type: str = JSON_TYPE


def raw_path(request: Request) -> str:
    return str(request.scope["raw_path"].decode("latin-1"))


def json_content(status: int, value: Any) -> ResponseContent:
    """Half a surrogate pair is written as its escape."""
    return ResponseContent(status, stringify(value).encode(errors="backslashreplace"))


def data_response(data: Any, status: int = 200, metadata: dict[str, Any] | None = None) -> ResponseContent:
    return json_content(status, {"metadata": metadata or {}, "data": data})


def empty_response(status: int) -> ResponseContent:
    """What a handler without a result sends: an envelope without `data`. A 204 shows it in its ETag only."""
    return json_content(status, {"metadata": {}})


def respond(request: Request, content: ResponseContent, *, production: bool) -> Response:
    etag = entity_tag(content.body)
    status = 304 if is_fresh(request, content.status, etag) else content.status
    headers = [*_common(request, production), ("Vary", "Origin")]
    if status not in BODILESS:
        headers += [("Content-Type", content.media_type), ("Content-Length", str(len(content.body)))]
    return _response(status, b"" if status in BODILESS else content.body, [*headers, ("ETag", etag)], request)


def preflight(request: Request, *, production: bool) -> Response:
    """Answers any OPTIONS, whatever its path and headers."""
    headers = [
        *_common(request, production),
        ("Vary", "Origin, Access-Control-Request-Headers"),
        ("Access-Control-Allow-Methods", "GET,HEAD,PUT,PATCH,POST,DELETE"),
    ]
    if wanted := request.headers.get("access-control-request-headers"):
        headers.append(("Access-Control-Allow-Headers", wanted))
    return _response(204, b"", [*headers, ("Content-Length", "0")], request)


def entity_tag(content: bytes) -> str:
    hashed = base64.b64encode(hashlib.sha1(content, usedforsecurity=False).digest())[:27].decode()
    return f'W/"{len(content):x}-{hashed}"'


def is_fresh(request: Request, status: int, etag: str) -> bool:
    """Whether the client's copy is current. No response has a Last-Modified, so If-Modified-Since always means no."""
    if request.method not in ("GET", "HEAD") or not 200 <= status < 300:
        return False
    if _NO_CACHE.search(_joined(request, "cache-control")) or "if-modified-since" in request.headers:
        return False
    known = [tag.strip() for tag in _joined(request, "if-none-match").split(",")]
    return known == ["*"] or any(tag.removeprefix("W/") == etag.removeprefix("W/") for tag in known)


def _joined(request: Request, name: str) -> str:
    """All lines of a field, joined as Node joins them; empty when the field is absent."""
    return ", ".join(request.headers.getlist(name))


def _common(request: Request, production: bool) -> Headers:
    origin = request.headers.get("origin")
    return [*(HELMET if production else EXPRESS), *([("Access-Control-Allow-Origin", origin)] if origin else [])]


def _connection(request: Request) -> Headers:
    """As Node says it. The server below closes the connection after a request of HTTP/1.0."""
    wanted = request.headers.get("connection", "").lower()
    if request.scope["http_version"] == "1.0" or "close" in wanted:
        return [("Connection", "close")]
    return [("Connection", "keep-alive"), ("Keep-Alive", "timeout=5")]


def _response(status: int, content: bytes, headers: Headers, request: Request) -> Response:
    response = Response(content, status)
    response.raw_headers = [
        (name.lower().encode(), value.encode("latin-1")) for name, value in [*headers, *_connection(request)]
    ]
    return response
