"""Options of the built-in identity providers, as routes.yaml gives them, and what they have in common."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from chassis.auth.claims import Fields
from strangler_gateway.table.routes import IdentityRules

MAX_SUBJECT = 256
MAX_ROLES = 100


class IdentityRulesInvalid(ValueError):
    """The provider cannot be made from what `identity:` says; the message never shows a secret."""


@dataclass(frozen=True, slots=True)
class JwtOptions:
    """A signed token in a header (scheme Bearer), or in a cookie. Exactly one of the four sources of keys."""

    algorithms: list[str]
    jwks_url: str | None = None
    jwks_file: str | None = None
    key_file: str | None = None
    key_env: str | None = None
    issuer: str | None = None
    audience: str | None = None
    user: str = "sub"
    roles: str | None = None
    header: str = "authorization"
    cookie: str | None = None
    leeway_s: float = 0.0
    azp: list[str] | None = None
    typ: str | None = None
    scheme: str | None = None
    """`any`: the word before the token does not matter, and a value without it is no credential."""
    confirm: Mapping[str, Any] | None = None
    """Options of `introspect` for the live state of a token."""
    exchange: Mapping[str, Any] | None = None
    """ExchangeOptions."""


@dataclass(frozen=True, slots=True)
class ExchangeOptions:
    """A URL that gives the monolith's credential for a token; `audience`: the service there."""

    url: str
    audience: str
    timeout_s: float = 5.0


@dataclass(frozen=True, slots=True)
class IntrospectOptions:
    """A URL that answers who a request is from; the named headers go there. `cookies`: of Cookie only these."""

    url: str
    forward: list[str]
    user: str = "$.id"
    roles: str | None = None
    cookies: list[str] | None = None
    timeout_s: float = 5.0
    cache_s: float = 5.0


Options = TypeVar("Options", JwtOptions, IntrospectOptions)


def options_of(kind: type[Options], rules: IdentityRules) -> Options:
    """The options of that kind. Raises IdentityRulesInvalid for a missing or unknown one."""
    given: dict[str, Any] = dict(rules.options)
    try:
        return kind(**given)
    except TypeError as error:
        raise IdentityRulesInvalid(f"identity {rules.kind}: {error}") from error


def field(fields: Fields, name: bytes) -> bytes | None:
    """The first field of that lower-case name."""
    for other, value in fields:
        if len(other) == len(name) and other.lower() == name:
            return value
    return None


def cookies(fields: Fields) -> Iterator[tuple[bytes, bytes]]:
    """Name and value of each cookie, in the order sent (RFC 6265 §4.2.1)."""
    for name, value in fields:
        if len(name) == 6 and name.lower() == b"cookie":
            for pair in value.split(b";"):
                cookie, equals, content = pair.strip().partition(b"=")
                if equals:
                    yield cookie, content


def subject_from(value: object) -> str | None:
    """A user id out of foreign JSON: a printable string, or a whole number as one. None: it names nobody."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if isinstance(value, str) and 0 < len(value) <= MAX_SUBJECT and value.isprintable():
        return value
    return None


def roles_from(value: object) -> tuple[str, ...]:
    """Role names out of foreign JSON: a list of strings, or one string with spaces between (RFC 8693 §4.2)."""
    if isinstance(value, str):
        value = value.split()
    if not isinstance(value, list):
        return ()
    return tuple(role for role in value[:MAX_ROLES] if isinstance(role, str) and role.isprintable())
