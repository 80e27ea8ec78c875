"""The fields of `identity:` in routes.yaml, with their defaults."""

from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag, model_validator

from strangler_gateway.config import field_types as t
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


class Jwt(StrictModel):
    """A signed token in a header or cookie. Exactly one source of keys; a symmetric key is never in this file."""

    jwks_url: t.Url | None = None
    jwks_file: str | None = None
    key_file: str | None = None
    key_env: str | None = None
    algorithms: list[Algorithm] = Field(default=["RS256"], min_length=1)
    issuer: str | None = None
    audience: str | None = None
    user: t.JsonPlace = "sub"
    roles: t.JsonPlace | None = None
    header: t.Token = "authorization"
    cookie: t.Token | None = None
    leeway_s: t.SecondsOrNone = 0.0

    @model_validator(mode="after")
    def _one_source(self) -> "Jwt":
        sources = ("jwks_url", "jwks_file", "key_file", "key_env")
        if sum(getattr(self, name) is not None for name in sources) != 1:
            raise ValueError(f"wanted exactly one source of keys: {', '.join(sources)}")
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


_IDENTITY_WANTED = "wanted none, or a mapping with one key: jwt, introspect or plugin"


class IdentityEntry(StrictModel):
    """Who sent a request: exactly one of the three."""

    jwt: Jwt | None = None
    introspect: Introspect | None = None
    plugin: t.Plugin | None = None

    @model_validator(mode="after")
    def _one(self) -> "IdentityEntry":
        if len(self.model_fields_set) != 1 or None in (getattr(self, name) for name in self.model_fields_set):
            raise ValueError(_IDENTITY_WANTED)
        return self


IdentityChoice = Annotated[
    Annotated[Literal["none"], Tag(t.WORD)] | Annotated[IdentityEntry, Tag(t.MAPPING)],
    Discriminator(t.word_or_mapping, custom_error_type="identity", custom_error_message=_IDENTITY_WANTED),
]
