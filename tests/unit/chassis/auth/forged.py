"""Tokens as attackers make them, without a library that would refuse to."""

import base64
import hashlib
import hmac
import json
from typing import Any


def part(value: object) -> bytes:
    """One base64url part of a token."""
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=")


def unsigned(claims: dict[str, Any], alg: str = "none", **header: Any) -> bytes:
    """RFC 7519 §6: a token without a signature."""
    return part({"alg": alg, **header}) + b"." + part(claims) + b"."


def hmac_signed(claims: dict[str, Any], secret: bytes, **header: Any) -> bytes:
    """HS256 with any secret, a public key's text for one (RFC 8725 §2.1)."""
    signing_input = part({"alg": "HS256", **header}) + b"." + part(claims)
    return signing_input + b"." + part(hmac.digest(secret, signing_input, hashlib.sha256))
