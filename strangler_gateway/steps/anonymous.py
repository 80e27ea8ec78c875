"""What stands for an unknown caller, so that a canary keeps it on one side. Pure."""

import re
from base64 import urlsafe_b64encode
from collections.abc import Callable

from strangler_gateway.exchange.exchange import Exchange

COOKIE = b"strangler-canary"
COOKIE_MAX_AGE_S = 90 * 86400
_OURS = re.compile(rb"[A-Za-z0-9_-]{22}")


def anonymous_key(policy: str, exchange: Exchange, random_bytes: Callable[[int], bytes]) -> bytes | None:
    """The key by `anonymous:` of the group; None where there is nothing to go by."""
    if policy == "address":
        return exchange.client.encode() or None
    if policy == "random":
        return random_bytes(16)
    if policy == "cookie":
        return _kept_in_cookie(exchange, random_bytes)
    if policy.startswith("header:"):
        return _first(exchange, policy[len("header:") :].lower().encode())
    return None


def _first(exchange: Exchange, name: bytes) -> bytes | None:
    return next((value for field, value in exchange.fields if field.lower() == name and value), None)


def _kept_in_cookie(exchange: Exchange, random_bytes: Callable[[int], bytes]) -> bytes:
    """The cookie holds a random key, not a side: a rollback moves its holder like everybody else."""
    for name, value in exchange.fields:
        if name.lower() == b"cookie":
            for pair in value.split(b";"):
                cookie, _, key = pair.strip().partition(b"=")
                if cookie == COOKIE and _OURS.fullmatch(key):
                    return key
    key = urlsafe_b64encode(random_bytes(16)).rstrip(b"=")
    secure = b"; Secure" if (exchange.public_scheme or exchange.scheme) == b"https" else b""
    cookie = b"%s=%s; Path=/; Max-Age=%d; HttpOnly; SameSite=Lax%s" % (COOKIE, key, COOKIE_MAX_AGE_S, secure)
    exchange.extra_fields += ((b"Set-Cookie", cookie),)
    return key
