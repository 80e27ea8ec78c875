"""Header fields of every response: helmet 5 in production, CORS for any origin, weak ETags (contract §2.4, §2.5)."""

import base64
import hashlib
import re
from collections.abc import Mapping

Field = tuple[bytes, bytes]

_HELMET: tuple[Field, ...] = (
    (
        b"content-security-policy",
        b"default-src 'self';base-uri 'self';block-all-mixed-content;font-src 'self' https: data:;form-action 'self';"
        b"frame-ancestors 'self';img-src 'self' data:;object-src 'none';script-src 'self';script-src-attr 'none';"
        b"style-src 'self' https: 'unsafe-inline';upgrade-insecure-requests",
    ),
    (b"cross-origin-embedder-policy", b"require-corp"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"x-dns-prefetch-control", b"off"),
    (b"expect-ct", b"max-age=0"),
    (b"x-frame-options", b"SAMEORIGIN"),
    (b"strict-transport-security", b"max-age=15552000; includeSubDomains"),
    (b"x-download-options", b"noopen"),
    (b"x-content-type-options", b"nosniff"),
    (b"origin-agent-cluster", b"?1"),
    (b"x-permitted-cross-domain-policies", b"none"),
    (b"referrer-policy", b"no-referrer"),
    (b"x-xss-protection", b"0"),
)
_EXPRESS: tuple[Field, ...] = ((b"x-powered-by", b"Express"),)
_NO_CACHE = re.compile(r"(?:^|,)\s*no-cache\s*(?:,|$)")


def common(request: Mapping[str, str], *, production: bool) -> list[Field]:
    """The fields of every response except a preflight's."""
    return [*(_HELMET if production else _EXPRESS), *_origin(request), (b"vary", b"Origin")]


def preflight(request: Mapping[str, str], *, production: bool) -> list[Field]:
    """All fields of the 204 to OPTIONS, with or without CORS fields in the request."""
    asked = request.get("access-control-request-headers", "").encode("latin-1")
    return [
        *(_HELMET if production else _EXPRESS),
        *_origin(request),
        (b"vary", b"Origin, Access-Control-Request-Headers"),
        (b"access-control-allow-methods", b"GET,HEAD,PUT,PATCH,POST,DELETE"),
        *([(b"access-control-allow-headers", asked)] if asked else []),
        (b"content-length", b"0"),
    ]


def content(body: bytes, media_type: bytes) -> list[Field]:
    """Type and length of a body."""
    return [(b"content-type", media_type), (b"content-length", b"%d" % len(body))]


def etag(body: bytes) -> bytes:
    """A weak ETag as Express makes it: length in hexadecimal and SHA-1."""
    digest = base64.b64encode(hashlib.sha1(body, usedforsecurity=False).digest())[:27]
    return b'W/"%x-%s"' % (len(body), digest)


def fresh(request: Mapping[str, str], tag: bytes) -> bool:
    """Whether the client's copy has this ETag (RFC 9110 §13.1.2). False if the request says no-cache."""
    none_match = request.get("if-none-match", "")
    if not none_match or "if-modified-since" in request or _NO_CACHE.search(request.get("cache-control", "")):
        return False  # no response has Last-Modified, so no date makes a copy fresh
    opaque = tag.decode().removeprefix("W/")
    return none_match == "*" or opaque in {part.strip(" ").removeprefix("W/") for part in none_match.split(",")}


def _origin(request: Mapping[str, str]) -> list[Field]:
    origin = request.get("origin", "").encode("latin-1")
    return [(b"access-control-allow-origin", origin)] if origin else []
