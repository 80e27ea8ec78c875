"""Who is counted: a verified user, a credential, or an address. Each has one key, however it is spelled. Pure."""

import re
from binascii import a2b_base64
from hashlib import blake2b
from typing import Literal

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.trust import network_of

_NOT_BASE64 = bytes(byte for byte in range(256) if not re.match(rb"[A-Za-z0-9+/]", bytes((byte,))))
_URL_SAFE = bytes.maketrans(b"-_", b"+/")
_SPACE = re.compile(rb"[\s\xa0]+")
"""What monoliths split a credential by; \\xa0 is a space in JavaScript."""


def callers(exchange: Exchange, by: Literal["user", "address", "credential"]) -> tuple[bytes, ...]:
    """The keys that a request counts for: one, but for a request with several credentials."""
    if by == "user":
        identity = exchange.identity
        if identity is not None and identity.subject is not None:
            return (b"u" + identity.subject.encode("utf-8", "surrogatepass"),)
    elif by == "credential":
        sent = exchange.head.authorization
        if sent is not None:
            found = (_credential(sent),) if sent else _credentials(exchange)
            if found:
                return found
    return (b"a" + network_of(exchange.client).encode(),)


def _credentials(exchange: Exchange) -> tuple[bytes, ...]:
    """Of several Authorization lines the first and the last: some upstreams read the one, some the other."""
    values = [value for name, value in exchange.fields if name.lower() == b"authorization" and value.strip()]
    return tuple({_credential(value): None for value in (values[0], values[-1])}) if values else ()


def _credential(value: bytes) -> bytes:
    """A digest of scheme and first word: what stands behind them changes nothing, or does not prove who calls."""
    words = _SPACE.split(value.strip(b" \t\xa0"), 2)
    if len(words) == 1:
        scheme, token = b"", words[0]
    else:
        scheme, token = words[0].lower(), words[1]
    return b"c" + blake2b(scheme + b" " + _unambiguous(scheme, token), digest_size=16).digest()


def _unambiguous(scheme: bytes, token: bytes) -> bytes:
    """Lenient decoders accept many spellings of one value in Base64: of a password, and of a JWT's signature.

    What a signature signs cannot be spelled in another way.
    """
    if scheme == b"basic":
        return _decoded(token)
    if token.count(b".") == 2:
        signed, _, signature = token.rpartition(b".")
        return signed + b"." + _decoded(signature)
    return token


def _decoded(text: bytes) -> bytes:
    digits = text.partition(b"=")[0].translate(_URL_SAFE, b"").translate(None, _NOT_BASE64)
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return a2b_base64(digits + b"==")
