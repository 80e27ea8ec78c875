"""The fields of `identity:` in routes.yaml, with their defaults."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from strangler_gateway.config import field_types as t
from strangler_gateway.config.faults import Place
from strangler_gateway.config.strict_model import StrictModel

Algorithm = Literal[
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "ES256",
    "ES384",
    "ES512",
    "Ed25519",
    "HS256",
    "HS384",
    "HS512",
]


class ConfirmEntry(StrictModel):
    """A URL that tells whether a token still holds, and its user's roles now; it receives the token."""

    url: t.Url
    user: t.JsonPlace = "$.id"
    roles: t.JsonPlace | None = None
    timeout_s: t.Seconds = 5.0


class ExchangeEntry(StrictModel):
    """A URL that gives the monolith's own credential for a token; the gateway's token for `audience` goes there."""

    url: t.Url
    audience: t.Name
    timeout_s: t.Seconds = 5.0


class Jwt(StrictModel):
    """A signed token in a header or cookie. Exactly one source of keys; a symmetric key is never in this file."""

    jwks_url: t.Url | None = None
    jwks_file: str | None = None
    key_file: str | None = None
    key_env: str | None = None
    algorithms: list[Algorithm] = Field(default=["RS256"], min_length=1)
    issuer: str | None = None
    audience: str | None = None
    azp: list[str] | None = Field(default=None, min_length=1)
    typ: str | None = None
    user: t.JsonPlace = "sub"
    roles: t.JsonPlace | None = None
    header: t.Token = "authorization"
    cookie: t.Token | None = None
    leeway_s: t.Skew = 0.0
    scheme: Literal["bearer", "any"] | None = None
    confirm: ConfirmEntry | None = None
    exchange: ExchangeEntry | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "Jwt":
        sources = ("jwks_url", "jwks_file", "key_file", "key_env")
        if sum(getattr(self, name) is not None for name in sources) != 1:
            raise ValueError(f"wanted exactly one source of keys: {', '.join(sources)}")
        return self

    @model_validator(mode="after")
    def _exchangeable(self) -> "Jwt":
        if self.exchange is None:
            return self
        if self.cookie is not None or self.header.lower() != "authorization":
            raise ValueError("exchange replaces Authorization; a token in a cookie or another header cannot have it")
        if self.issuer is None:
            raise ValueError("exchange needs issuer: it tells which tokens are this provider's")
        return self


class Introspect(StrictModel):
    """A URL of the monolith that tells who sent a request; it receives the named headers."""

    url: t.Url
    forward: list[t.Token] = Field(default=["authorization", "cookie"], min_length=1)
    cookies: list[t.Token] | None = None
    user: t.JsonPlace = "$.id"
    roles: t.JsonPlace | None = None
    timeout_s: t.Seconds = 5.0
    cache_s: t.SecondsOrNone = 5.0


_IDENTITY_WANTED = "wanted none, a mapping with one key (jwt, introspect or plugin), or a list of such mappings"


class IdentityEntry(StrictModel):
    """Who sent a request: exactly one of the three. `enabled: false` leaves the entry out."""

    enabled: t.Switch = True
    jwt: Jwt | None = None
    introspect: Introspect | None = None
    plugin: t.Plugin | None = None

    @model_validator(mode="after")
    def _one(self) -> "IdentityEntry":
        kinds = self.model_fields_set - {"enabled"}
        if len(kinds) != 1 or None in (getattr(self, name) for name in kinds):
            raise ValueError("wanted one of jwt, introspect and plugin")
        return self


IdentityChoice = Annotated[
    Annotated[Literal["none"], Tag(t.WORD)]
    | Annotated[IdentityEntry, Tag(t.MAPPING)]
    | Annotated[list[IdentityEntry], Field(min_length=1, max_length=10), Tag(t.LIST)],
    Discriminator(t.word_mapping_or_list, custom_error_type="identity", custom_error_message=_IDENTITY_WANTED),
]


def identity_entries(choice: IdentityEntry | list[IdentityEntry] | str) -> list[tuple[Place, IdentityEntry]]:
    """All entries with their places, in order; those that are not enabled, too."""
    if isinstance(choice, list):
        return [(("identity", at), entry) for at, entry in enumerate(choice)]
    return [] if isinstance(choice, str) else [(("identity",), choice)]
