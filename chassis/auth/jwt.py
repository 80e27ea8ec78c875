"""Verifies a signed token (RFC 7519, RFC 8725). We choose the algorithms, and trust nothing before verification."""

import base64
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

MAX_BYTES = 16 * 1024


class TokenRejected(Exception):
    """The token is not accepted. The message tells why and never shows the token."""


@dataclass(frozen=True, slots=True)
class Checks:
    """What a token must contain. Issuer or audience None: not compared. `exp` is always required."""

    algorithms: Collection[str]
    issuer: str | None
    audience: str | None
    leeway_s: int = 0


def key_id(token: bytes) -> str | None:
    """The unverified `kid` of the header, to choose the key. Raises TokenRejected if this is not a signed token."""
    if len(token) > MAX_BYTES:
        raise TokenRejected(f"longer than {MAX_BYTES} bytes")
    if token.count(b".") != 2:
        raise TokenRejected("not three parts with dots between")
    try:
        header = json.loads(base64.urlsafe_b64decode(token[: token.index(b".")] + b"=="))
        kid = header.get("kid")
    except (ValueError, AttributeError, RecursionError):
        raise TokenRejected("the header is not a JSON object") from None
    if kid is not None and not isinstance(kid, str):
        raise TokenRejected("the key id is not a string")
    return kid


def import_key(jwk: Mapping[str, Any]) -> Key:
    """Imports a published key. Raises TokenRejected if it cannot be used: then the token cannot be verified."""
    try:
        return JWKRegistry.import_key(dict(jwk))
    except (JoseError, ValueError, TypeError) as error:
        raise TokenRejected(f"its key cannot be used: {type(error).__name__}") from None


def verify(token: bytes, key: Key, checks: Checks, now: float) -> dict[str, Any]:
    """The claims of a valid token. Raises TokenRejected.

    `iat` is ignored (RFC 7519 §4.1.6 uses it only to tell the age): clocks of two hosts differ, and the monolith
    ignores it too.
    """
    algorithms = list(checks.algorithms)
    try:
        claims = jwt.decode(
            token, key, algorithms, JWSRegistry(algorithms=algorithms, strict_check_header=False)
        ).claims
        _registry(checks, int(now)).validate({name: value for name, value in claims.items() if name != "iat"})
    except JoseError as error:
        raise TokenRejected(str(error)) from None
    except Exception as error:  # hostile bytes in a foreign parser: every failure is a rejection
        raise TokenRejected(f"unreadable: {type(error).__name__}") from None
    return claims


def _registry(checks: Checks, now: int) -> JWTClaimsRegistry:
    compared = {"iss": checks.issuer, "aud": checks.audience}
    wanted = {claim: {"essential": True, "value": value} for claim, value in compared.items() if value is not None}
    return JWTClaimsRegistry(now, checks.leeway_s, exp={"essential": True}, **wanted)  # type: ignore[arg-type]  # a TypedDict
