"""The fields of routes.yaml, with their defaults. What spans several entries is judged in `check`."""

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, model_validator

from strangler_gateway import field_types as t


class Part(BaseModel):
    """Every mapping of the file: unknown fields are refused, nothing is coerced."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Paths(Part):
    """How the monolith's router compares paths."""

    case_sensitive: bool = True
    trailing_slash: Literal["strict", "ignore"] = "strict"
    decode_literals: bool = False


class Jwt(Part):
    """A signed token in a header or cookie. Exactly one source of keys; a symmetric key is never in this file."""

    jwks_url: t.Url | None = None
    jwks_file: str | None = None
    key_file: str | None = None
    key_env: str | None = None
    algorithms: list[str] = Field(default=["RS256"], min_length=1)
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


class Introspect(Part):
    """A URL of the monolith that tells who a request is from; the named headers are passed on to it."""

    url: t.Url
    forward: list[t.Token] = Field(default=["authorization", "cookie"], min_length=1)
    cookies: list[t.Token] | None = None
    user: t.JsonPlace = "$.id"
    roles: t.JsonPlace | None = None
    timeout_s: t.Seconds = 5.0
    cache_s: t.SecondsOrNone = 5.0


_IDENTITY_WANTED = "wanted none, or a mapping with one key: jwt, introspect or plugin"


class Identity(Part):
    """Who a request is from: exactly one of the three."""

    jwt: Jwt | None = None
    introspect: Introspect | None = None
    plugin: t.Plugin | None = None

    @model_validator(mode="after")
    def _one(self) -> "Identity":
        if len(self.model_fields_set) != 1 or None in (getattr(self, name) for name in self.model_fields_set):
            raise ValueError(_IDENTITY_WANTED)
        return self


class TimeoutsS(Part):
    """Seconds to connect, to the response's header, and between two bytes (0 = no limit)."""

    connect: t.Seconds = 5.0
    response: t.Seconds = 75.0
    idle: t.SecondsOrNone = 300.0


class TlsOptions(Part):
    """How an https origin is verified, and the client certificate shown to it."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None
    verify: bool = True

    @model_validator(mode="after")
    def _pair(self) -> "TlsOptions":
        if self.key_file and not self.cert_file:
            raise ValueError("key_file without cert_file; a client certificate needs both, or one file named cert_file")
        return self


class BreakerRules(Part):
    """So many connection failures one after another open it, for so long."""

    failures: t.Count
    open_s: t.Seconds = 5.0


class ServiceEntry(Part):
    """An upstream: the monolith, or an extracted service."""

    url: t.Origin
    timeout_s: TimeoutsS = TimeoutsS()
    host: Literal["preserve", "upstream"] = "preserve"
    tls: TlsOptions | None = None
    max_connections: t.Count = 1000
    breaker: BreakerRules | None = None
    websocket_ping_s: t.SecondsOrNone = 0.0


class UnitFields(Part):
    """What a group carries, and a route that is in no group."""

    state: t.StateName = "legacy"
    share: t.Percent = 0.0
    salt: str | None = Field(default=None, min_length=1, max_length=256)
    data: Literal["shared", "own"] = "shared"
    anonymous: t.Anonymous = "legacy"
    serialize: Literal["user"] | None = None
    retire_after: t.Duration = 14 * 86400.0


class GroupEntry(UnitFields):
    """Routes that share a data owner, and so move together."""


def _defaults(value: object) -> object:
    """A group with nothing behind its name has the defaults."""
    return {} if value is None else value


GroupOrDefaults = Annotated[GroupEntry, BeforeValidator(_defaults, json_schema_input_type=GroupEntry | None)]


class MatchRules(Part):
    """Which requests a route takes; without `methods` every one, unknown ones too."""

    methods: list[t.Method] | None = Field(default=None, min_length=1)
    path: t.RoutePath

    @model_validator(mode="after")
    def _distinct(self) -> "MatchRules":
        if self.methods and len(set(self.methods)) < len(self.methods):
            raise ValueError("methods names a method twice")
        return self


class Roles(Part):
    """Any of these roles."""

    roles: list[str] = Field(min_length=1)


Requirement = Annotated[
    Annotated[Literal["open", "authenticated"], Tag(t.WORD)] | Annotated[Roles, Tag(t.MAPPING)],
    Discriminator(
        t.word_or_mapping,
        custom_error_type="requirement",
        custom_error_message="wanted open, authenticated, or {roles: [admin]}",
    ),
]
IdentityChoice = Annotated[
    Annotated[Literal["none"], Tag(t.WORD)] | Annotated[Identity, Tag(t.MAPPING)],
    Discriminator(t.word_or_mapping, custom_error_type="identity", custom_error_message=_IDENTITY_WANTED),
]


class AuthRules(Part):
    """Who may call the extracted side, and who says so: the gateway, or the service (`upstream`)."""

    require: Requirement = "open"
    enforce: Literal["upstream", "gateway"] = "upstream"


class ShadowEntry(Part):
    """How answers of both sides are compared. `pure`: calling the service twice does no harm."""

    pure: bool = True
    share: t.Percent = 100.0
    timeout_s: t.Seconds = 5.0
    concurrency: t.Count = 8
    max_body: t.ByteSize = 1 << 20
    ignore: list[t.JsonPath] = []
    unordered: list[t.JsonPath] = []
    headers: list[t.Token] = ["content-type", "location", "etag", "cache-control", "vary"]
    show_values: bool = False


class LimitEntry(Part):
    """A rate limit: by verified user (address where nobody is known), or by address."""

    rate: t.Rate
    by: Literal["user", "address"] = "user"


class RewriteRules(Part):
    """The path that a side gets instead: a template over the match's variables."""

    legacy: t.RewriteTemplate | None = None
    extracted: t.RewriteTemplate | None = None


class RouteEntry(UnitFields):
    """One declared route."""

    id: t.Name
    group: t.Name | None = None
    match: MatchRules
    legacy: t.Name
    extracted: t.Name | None = None
    publish: object = None
    aggregate: object = None
    auth: AuthRules = AuthRules()
    shadow: ShadowEntry | None = None
    limit: LimitEntry | None = None
    max_body: t.ByteSize | None = None
    rewrite: RewriteRules = RewriteRules()
    ambiguous: Literal["keep", "reject"] = "keep"


class ErrorEntry(Part):
    """A body that the gateway itself answers with."""

    content_type: t.MediaType
    body: str = Field(max_length=1 << 16)


class RoutesFile(Part):
    """The whole file."""

    version: Literal[1]
    paths: Paths = Paths()
    identity: IdentityChoice = "none"
    trusted_proxies: list[t.Network] = []
    identity_headers: list[t.HeaderPattern] = []
    errors: dict[str, ErrorEntry] = {}
    services: dict[t.Name, ServiceEntry] = Field(min_length=1)
    groups: dict[
        t.Name, Annotated[GroupEntry, BeforeValidator(_defaults, json_schema_input_type=GroupEntry | None)]
    ] = {}
    routes: list[RouteEntry] = Field(min_length=1)
