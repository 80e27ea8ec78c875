"""The fields of routes.yaml, with their defaults. `checks` judges what spans several entries."""

from typing import Annotated, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag, model_validator

from strangler_gateway.config import addresses
from strangler_gateway.config import field_types as t
from strangler_gateway.config.aggregate_model import AggregateEntry
from strangler_gateway.config.identity_model import IdentityChoice
from strangler_gateway.config.plan_model import PlanEntry
from strangler_gateway.config.publish_model import PublishEntry
from strangler_gateway.config.resilience_model import BalanceEntry, BreakerChoice, QueueEntry, RetryEntry
from strangler_gateway.config.strict_model import StrictModel
from strangler_gateway.table.rules.accept import DifferenceKind
from strangler_gateway.table.rules.rate import parse_rates


class Paths(StrictModel):
    """How the monolith's router compares paths."""

    case_sensitive: bool = True
    trailing_slash: Literal["strict", "ignore"] = "strict"
    decode_literals: bool = False


class TimeoutsEntry(StrictModel):
    """Seconds to connect, to the response's header, and between two bytes (0 = no limit)."""

    connect: t.Seconds = 5.0
    response: t.Seconds = 75.0
    idle: t.SecondsOrNone = 300.0


class TlsOptions(StrictModel):
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


class OperatorsEntry(StrictModel):
    """Where a service tells operators of its queues; a token is never in this file. An empty name: nobody asks."""

    path: t.Target
    token_file: str | None = None
    token_env: t.EnvironmentName | None = None

    @model_validator(mode="after")
    def _one_token(self) -> "OperatorsEntry":
        if (self.token_file is None) == (self.token_env is None):
            raise ValueError("wanted one of token_file (a path) and token_env (the name of a variable)")
        return self


class ServiceEntry(StrictModel):
    """An upstream: the monolith, or an extracted service; `urls`: of several instances; `discover`: to be looked up.

    `scheme` and `path` say of discovered instances what an URL says of others.
    """

    url: t.Origin | None = None
    urls: list[t.Origin] | None = Field(default=None, min_length=1, max_length=1000)
    discover: t.Discovered | None = None
    scheme: Literal["http", "https"] | None = None
    path: t.BasePath | None = None
    timeout_s: TimeoutsEntry = TimeoutsEntry()
    host: Literal["preserve", "upstream"] = "preserve"
    tls: TlsOptions | None = None
    max_connections: t.Count = 1000
    breaker: BreakerChoice | None = None
    max_concurrency: t.Count | None = None
    queue: QueueEntry = QueueEntry()
    retry: RetryEntry = RetryEntry()
    health: t.Target | None = None
    health_interval_s: t.SecondsOrNone = 0.0
    operators: OperatorsEntry | None = None
    balance: BalanceEntry = BalanceEntry()
    websocket_ping_s: t.SecondsOrNone = 0.0
    identity_headers: Literal["drop", "pass", "trusted"] | None = None
    lenient: bool = False
    upgrade: list[t.Protocol] = Field(default=["websocket"])
    half_close: Literal["end", "answer"] = "end"
    credentials: Literal["pass", "exchange"] = "pass"

    @property
    def addresses(self) -> list[addresses.Address]:
        """Of all instances that the file names; where they are discovered, one with the name that is looked for."""
        if self.discover is not None:
            return [addresses.discovered(self.discover, self.scheme or "http", self.path or "")]
        return [addresses.origin(url) for url in self.urls or [self.url or ""]]


class BreachEntry(StrictModel):
    """When the new side counts as broken. Percentages."""

    points: float = Field(default=16.0, gt=0, le=40)
    hard: t.Margin = 70.0
    above: t.Margin = 5.0
    times: float = Field(default=2.0, ge=1, le=100)
    margin: t.Margin = 1.0
    per_second: float = Field(default=25.0, ge=1, le=1_000_000)
    remember: t.Duration = 30 * 86400.0


class GateEntry(StrictModel):
    """How much evidence a step forward needs. Percentages; `above_10`: at a share of more than 10 %."""

    min: t.Count | None = None
    delta: t.Margin | None = None
    min_above_10: t.Count | None = None
    delta_above_10: t.Margin | None = None
    min_shadow: t.Count | None = None
    parity: t.Margin | None = None
    latency: t.OnOff = True
    sizes: t.OnOff = True
    p95_ratio: t.Ratio = 1.2
    min_latency: t.Count = 1800
    min_pairs: t.Count = 300
    latency_slack: t.DurationOrNone = 0.001
    latency_skip: t.DurationOrNone = 300.0
    latency_window: t.Duration = 1800.0
    exercised_days: t.Count = 7
    breach: BreachEntry = BreachEntry()


class MovableFields(StrictModel):
    """The fields of a group, and of a route that is in no group."""

    state: t.StateName = "legacy"
    share: t.Percent = 0.0
    salt: str | None = Field(default=None, min_length=1, max_length=256)
    data: Literal["shared", "own"] = "shared"
    anonymous: t.Anonymous = "legacy"
    serialize: Literal["user"] | None = None
    retire_after: t.Duration = 14 * 86400.0
    gate: GateEntry = GateEntry()
    plan: PlanEntry | None = None


class AcceptEntry(StrictModel):
    """A difference between both sides that does not count; `until`: the last day on which it does not."""

    path: t.ComparedPlace
    kind: DifferenceKind
    why: str = Field(min_length=1, max_length=1000)
    until: t.Day | None = None


class GroupEntry(MovableFields):
    """Routes that share a data owner, and so move together."""

    accept: list[AcceptEntry] = Field(default=[], max_length=1000)


def _defaults(value: object) -> object:
    """A group whose name has no value has the defaults."""
    return {} if value is None else value


GroupOrDefaults = Annotated[GroupEntry, BeforeValidator(_defaults, json_schema_input_type=GroupEntry | None)]


class MatchRules(StrictModel):
    """Which requests a route takes; without `methods` every method, unknown ones too."""

    methods: list[t.Method] | None = Field(default=None, min_length=1)
    path: t.RoutePath

    @model_validator(mode="after")
    def _distinct(self) -> "MatchRules":
        if self.methods and len(set(self.methods)) < len(self.methods):
            raise ValueError("methods names a method twice")
        return self


class RolesEntry(StrictModel):
    """Any of these roles."""

    roles: list[str] = Field(min_length=1)


Requirement = Annotated[
    Annotated[Literal["open", "authenticated"], Tag(t.WORD)] | Annotated[RolesEntry, Tag(t.MAPPING)],
    Discriminator(
        t.word_or_mapping,
        custom_error_type="requirement",
        custom_error_message="wanted open, authenticated, or {roles: [admin]}",
    ),
]


class AuthRules(StrictModel):
    """Who may call the extracted side, and who says so: the gateway, or the service (`upstream`)."""

    require: Requirement = "open"
    enforce: Literal["upstream", "gateway"] = "upstream"
    pass_on: list[Literal["address", "credential"]] = Field(default=[], max_length=2)


class ShadowEntry(StrictModel):
    """How the answers of both sides are compared. `pure`: a second call of the service does no harm."""

    pure: bool = True
    share: t.Percent = 100.0
    timeout_s: t.Seconds = 5.0
    concurrency: t.Count = 8
    max_body: t.ByteSize = 1 << 20
    ignore: list[t.JsonPath] = Field(default=[])
    unordered: list[t.JsonPath] = Field(default=[])
    headers: list[t.Token] = Field(default=["content-type", "location", "etag", "cache-control", "vary"])
    show_values: bool = False


class LimitEntry(StrictModel):
    """A rate limit: one `rate`, or several `rates` that hold together."""

    rate: t.Rate | None = None
    rates: list[t.Rate] | None = Field(default=None, min_length=1, max_length=5)
    burst: t.Count | None = None
    by: Literal["user", "address", "credential"] = "user"
    unavailable: Literal["open", "closed"] = "open"

    @model_validator(mode="after")
    def _one_form(self) -> "LimitEntry":
        if (self.rate is None) == (self.rates is None):
            raise ValueError('wanted rate: "100/minute", or rates: ["10/second", "100/minute"]')
        windows = [rate.window_s for rate in parse_rates(self.text)]
        if len(set(windows)) < len(windows):
            raise ValueError("two rates have windows of the same length; keep the lower one")
        return self

    @property
    def text(self) -> str:
        """All rates in one text."""
        return self.rate if self.rate is not None else ", ".join(self.rates or ())


class RewriteRules(StrictModel):
    """The path that each side receives instead: a template over the variables of the match."""

    legacy: t.RewriteTemplate | None = None
    extracted: t.RewriteTemplate | None = None


class RouteEntry(MovableFields):
    """One declared route."""

    id: t.Name
    group: t.Name | None = None
    match: MatchRules
    legacy: t.Name
    extracted: t.Name | None = None
    publish: PublishEntry | None = None
    aggregate: AggregateEntry | None = None
    new: bool = False
    auth: AuthRules = AuthRules()
    shadow: ShadowEntry | None = None
    accept: list[AcceptEntry] = Field(default=[], max_length=1000)
    limit: LimitEntry | None = None
    max_body: t.ByteSize | None = None
    rewrite: RewriteRules = RewriteRules()
    ambiguous: Literal["keep", "reject"] = "keep"


class ErrorEntry(StrictModel):
    """The body of an answer that the gateway makes itself."""

    content_type: t.MediaType
    body: str = Field(max_length=1 << 16)


class RoutesFile(StrictModel):
    """The whole file."""

    version: Literal[1]
    paths: Paths = Paths()
    identity: IdentityChoice = "none"
    trusted_proxies: list[t.Network] = Field(default=[])
    identity_headers: list[t.HeaderPattern] = Field(default=[])
    errors: dict[str, ErrorEntry] = Field(default={})
    cors: Literal["reflect"] | None = None
    services: dict[t.Name, ServiceEntry] = Field(min_length=1)
    groups: dict[t.Name, GroupOrDefaults] = Field(default={})
    routes: list[RouteEntry] = Field(min_length=1)
