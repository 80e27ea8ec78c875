"""What stands for a caller whom nobody knows, so that a canary keeps him on one side. Pure."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable

from strangler_gateway.exchange.exchange import Exchange

COOKIE = b"strangler-canary"
COOKIE_MAX_AGE_S = 90 * 86400
_OURS = re.compile(rb"[A-Za-z0-9_-]{22}")


def anonymous_key(policy: str, x: Exchange, random_bytes: Callable[[int], bytes]) -> bytes | None:
    """The key by `anonymous:` of the group; None where there is nothing to go by."""
    if policy == "address":
        return x.client.encode() or None
    if policy == "random":
        return random_bytes(16)
    if policy == "cookie":
        return _kept_in_cookie(x, random_bytes)
    if policy.startswith("header:"):
        return _first(x, policy[len("header:") :].lower().encode())
    return None


def _first(x: Exchange, name: bytes) -> bytes | None:
    return next((value for field, value in x.fields if field.lower() == name and value), None)


def _kept_in_cookie(x: Exchange, random_bytes: Callable[[int], bytes]) -> bytes:
    """The cookie holds a random key, not a side: a rollback moves its holder like everybody else."""
    for name, value in x.fields:
        if name.lower() == b"cookie":
            for pair in value.split(b";"):
                cookie, _, key = pair.strip().partition(b"=")
                if cookie == COOKIE and _OURS.fullmatch(key):
                    return key
    key = urlsafe_b64encode(random_bytes(16)).rstrip(b"=")
    secure = b"; Secure" if (x.public_scheme or x.scheme) == b"https" else b""
    cookie = b"%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax%s" % (COOKIE, key, COOKIE_MAX_AGE_S, secure)
    x.extra_fields.append((b"Set-Cookie", cookie))
    return key
