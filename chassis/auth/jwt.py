"""Verifies a signed token (RFC 7519, RFC 8725). We choose the algorithms, and trust nothing before verification."""

import base64
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NoReturn

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import JWKRegistry, Key
from joserfc.jws import JWSRegistry
from joserfc.jwt import JWTClaimsRegistry

from chassis.auth.claims import TokenRejected as TokenRejected  # who verifies knows it from here

MAX_BYTES = 16 * 1024
MAX_TIME_S = 1e12
MAX_AHEAD_S = 60
"""So far in the future an access token of an identity server may have been issued, besides the leeway."""
_TYPES = frozenset({"jwt", "at+jwt"})
"""Header `typ` of access tokens (RFC 7519 §5.1, RFC 9068 §2.1), in lower case, without `application/`."""


@dataclass(frozen=True, slots=True)
class Checks:
    """What a token must contain. Issuer or audience None: not compared. `exp` is always required."""

    algorithms: Collection[str]
    issuer: str | None
    audience: str | None
    leeway_s: int = 0
    parties: tuple[str, ...] = ()
    """If any are named, `azp` is one of them: the client that the token was issued to (OpenID Connect Core §2)."""
    token_type: str | None = None
    """The claim `typ`, by which identity servers tell access, ID and refresh tokens apart ("Bearer").

    With it, the header's `typ` must be JWT or at+jwt where there is one, and `iat` is not in the future.
    """


@dataclass(frozen=True, slots=True)
class UnverifiedHeader:
    """What a token says of its own signature."""

    algorithm: str
    key_id: str | None
    type: str | None


def unverified_header(token: bytes) -> UnverifiedHeader:
    """The header, to choose the key. Raises TokenRejected if this is not a signed token."""
    if len(token) > MAX_BYTES:
        raise TokenRejected(f"longer than {MAX_BYTES} bytes")
    if token.count(b".") != 2:
        raise TokenRejected("not three parts with dots between")
    try:
        header = _json_part(token[: token.index(b".")])
        algorithm, kid, kind = header.get("alg"), header.get("kid"), header.get("typ")
    except (ValueError, AttributeError, RecursionError):
        raise TokenRejected("the header is not a JSON object") from None
    if not isinstance(algorithm, str):
        raise TokenRejected("the algorithm is not a string")
    if kid is not None and not isinstance(kid, str):
        raise TokenRejected("the key id is not a string")
    if kind is not None and not isinstance(kind, str):
        raise TokenRejected("the type is not a string")
    return UnverifiedHeader(algorithm, kid, kind)


def key_id(token: bytes) -> str | None:
    """The unverified `kid` of the header, to choose the key. Raises TokenRejected if this is not a signed token."""
    return unverified_header(token).key_id


def unverified_issuer(token: bytes) -> object:
    """What a token of three parts says who issued it, only to see whose it is. None: it does not say."""
    try:
        return _json_part(token.split(b".")[1]).get("iss")
    except (ValueError, AttributeError, RecursionError, IndexError):
        return None


def import_key(jwk: Mapping[str, Any]) -> Key:
    """Imports a published key. Raises TokenRejected if it cannot be used: then the token cannot be verified."""
    try:
        return JWKRegistry.import_key(dict(jwk))
    except (JoseError, ValueError, TypeError) as error:
        raise TokenRejected(f"its key cannot be used: {type(error).__name__}") from None


def verify(token: bytes, key: Key, checks: Checks, now: float) -> dict[str, Any]:
    """The claims of a valid token. Raises TokenRejected.

    Without a `token_type`, `iat` is ignored (RFC 7519 §4.1.6 uses it only to tell the age): clocks of two hosts
    differ, and the monolith ignores it too.
    """
    try:
        algorithms = tuple(checks.algorithms)
        decoded = jwt.decode(token, key, algorithms, _signatures(algorithms), _StrictDecoder)
        claims = decoded.claims
        _registry(checks, int(now)).validate({name: value for name, value in claims.items() if name != "iat"})
        _check_use(decoded.header, claims, checks, now)
    except JoseError as error:
        raise TokenRejected(str(error)) from None
    except TokenRejected:
        raise
    except Exception as error:  # hostile bytes in a foreign parser: every failure is a rejection
        raise TokenRejected(f"unreadable: {type(error).__name__}") from None
    return claims


def _check_use(header: Mapping[str, Any], claims: Mapping[str, Any], checks: Checks, now: float) -> None:
    """Whom the token was issued to, and what for."""
    if claims["exp"] > MAX_TIME_S:
        raise TokenRejected("its exp is no time")
    if checks.parties and claims.get("azp") not in checks.parties:
        raise TokenRejected("issued to another client: its azp is not one of ours")
    if checks.token_type is None:
        return
    if claims.get("typ") != checks.token_type:
        raise TokenRejected(f"its typ is not {checks.token_type}")
    if str(header.get("typ", "JWT")).lower().removeprefix("application/") not in _TYPES:
        raise TokenRejected("the typ of its header is neither JWT nor at+jwt")
    issued_at = claims.get("iat", 0)
    if isinstance(issued_at, bool) or not isinstance(issued_at, int | float):
        raise TokenRejected("its iat is not a number")
    if issued_at > now + checks.leeway_s + MAX_AHEAD_S:
        raise TokenRejected("issued in the future")


@lru_cache(maxsize=64)
def _signatures(algorithms: tuple[str, ...]) -> JWSRegistry:
    return JWSRegistry(algorithms=list(algorithms), strict_check_header=False)


def _registry(checks: Checks, now: int) -> JWTClaimsRegistry:
    compared = {"iss": checks.issuer, "aud": checks.audience}
    wanted = {claim: {"essential": True, "value": value} for claim, value in compared.items() if value is not None}
    return JWTClaimsRegistry(now, checks.leeway_s, exp={"essential": True}, **wanted)  # type: ignore[arg-type]  # a TypedDict


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """RFC 7519 §4: a name that occurs twice could mean one thing here and another elsewhere."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name occurs twice")
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")


class _StrictDecoder(json.JSONDecoder):
    """JSON as RFC 8259 has it, without names that occur twice."""

    def __init__(self) -> None:
        super().__init__(object_pairs_hook=_once, parse_constant=_no_constant)


def _json_part(part: bytes) -> Any:
    return json.loads(base64.urlsafe_b64decode(part + b"=="), cls=_StrictDecoder)
