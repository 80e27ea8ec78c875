"""The values of routes.yaml: one immutable RouteTable. Each request reads it once; it is replaced as a whole."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Network
from typing import Any, Literal

from chassis.discovery.port import Instance
from strangler_gateway.table.rules.accept import AcceptRule
from strangler_gateway.table.rules.aggregate import AggregateRules
from strangler_gateway.table.rules.balance import BalanceRules
from strangler_gateway.table.rules.plan import PlanRules
from strangler_gateway.table.rules.publish import PublishRules
from strangler_gateway.table.rules.rate import Rate, Window, parse_rates, windows_of
from strangler_gateway.table.rules.resilience import NO_BREAKER, BreakerRules, QueueRules, RetryRules

_ADDED = {"added": True}
"""Of a field that is younger than digests: it counts where it is written, so that an upgrade changes no digest."""
_DERIVED = {"derived": True}
"""Of a field that follows from others, so that it does not count in a digest."""


class MigrationState(StrEnum):
    """The migration states, in their order."""

    LEGACY = "legacy"
    SHADOW = "shadow"
    CANARY = "canary"
    EXTRACTED = "extracted"
    RETIRED = "retired"


class Side(StrEnum):
    """Where a request goes."""

    LEGACY = "legacy"
    EXTRACTED = "extracted"


@dataclass(frozen=True, slots=True)
class ServiceTimeouts:
    """Seconds: to connect, to the response's header, between two bytes of a body (0 = no limit)."""

    connect: float = 5.0
    response: float = 75.0
    idle: float = 300.0


@dataclass(frozen=True, slots=True)
class ServiceTls:
    """How an https origin is verified, and the client certificate that it receives."""

    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None
    verify: bool = True


def authority_of(scheme: str, host: str, port: int) -> bytes:
    """host[:port] as in a Host field, without the scheme's default port."""
    default = 443 if scheme == "https" else 80
    host = f"[{host}]" if ":" in host else host
    return (host if port == default else f"{host}:{port}").encode()


@dataclass(frozen=True, slots=True)
class OperatorsRules:
    """Where a service tells operators of its queues. The token is in the file, or in the variable of this name."""

    path: str
    token_file: str | None = None
    token_env: str | None = None


@dataclass(frozen=True, slots=True)
class Service:
    """An upstream origin. `base_path` goes before the target (no trailing slash); `unix` replaces host and port."""

    name: str
    scheme: Literal["http", "https"]
    host: str
    port: int
    unix: str | None = None
    base_path: bytes = b""
    timeouts: ServiceTimeouts = ServiceTimeouts()
    host_policy: Literal["preserve", "upstream"] = "preserve"
    tls: ServiceTls = ServiceTls()
    max_connections: int = 1000
    breaker_failures: int = 0
    """Consecutive connection failures that open the breaker, where `breaker:` says nothing else; 0 = not written."""
    breaker_open_s: float = 5.0
    websocket_ping_s: float = 0.0
    health: str | None = field(default=None, metadata=_ADDED)
    """The target that tells whether it is ready; it goes behind the base path."""
    identity_headers: Literal["drop", "pass", "trusted"] | None = field(default=None, metadata=_ADDED)
    """Fields that say who calls. None: built-in names pass to the legacy side, and no others do."""
    lenient: bool = field(default=False, metadata=_ADDED)
    """Its answers may end a line with a bare LF, and say `Transfer-Encoding: identity` beside a length."""
    upgrade: tuple[bytes, ...] = field(default=(b"websocket",), metadata=_ADDED)
    """Protocols that a connection may be switched to, in lower case."""
    half_close: Literal["end", "answer"] = field(default="end", metadata=_ADDED)
    """What becomes of a whole request whose client has ended its side."""
    credentials: Literal["pass", "exchange"] = field(default="pass", metadata=_ADDED)
    """As the legacy side: gets the client's credential, or its own kind for it where a provider exchanges it."""
    instances: tuple[Instance, ...] = field(default=(), metadata=_ADDED)
    """Of `urls:`; host, port and unix are the first one's. Empty: there is one, or it is discovered."""
    discover: str | None = field(default=None, metadata=_ADDED)
    """Where its instances are looked up; host is the name that is looked for."""
    breaker: BreakerRules | None = field(default=None, metadata=_ADDED)
    """None: `breaker_failures` alone, or the default."""
    max_concurrency: int | None = field(default=None, metadata=_ADDED)
    """Requests under way at once; None: not limited but by connections."""
    queue: QueueRules = field(default=QueueRules(), metadata=_ADDED)
    retry: RetryRules = field(default=RetryRules(), metadata=_ADDED)
    operators: OperatorsRules | None = field(default=None, metadata=_ADDED)
    """None: it is not asked for its queues."""
    is_new_end: bool = field(default=False, metadata=_DERIVED)
    """It is the new side of a route and the legacy side of none: it has a breaker unless the file says otherwise."""

    @property
    def breaker_rules(self) -> BreakerRules:
        """Those that hold for it."""
        if self.breaker is not None:
            return self.breaker
        if self.breaker_failures:
            open_s = self.breaker_open_s
            return BreakerRules(failures=self.breaker_failures, errors=0.0, open_s=open_s, longest_s=open_s)
        return BreakerRules() if self.is_new_end else NO_BREAKER

    @property
    def queue_max(self) -> int:
        """Requests that may wait; for a monolith as many as the gateway has connections by default: as ever."""
        return self.queue.max if self.queue.max is not None else 1000 if self.is_new_end else 10_000

    @property
    def queue_wait_s(self) -> float:
        """How long each may wait: for a new end never longer than for its answer, of whose time it is a part."""
        wait_s = self.timeouts.connect if self.queue.wait_s is None else self.queue.wait_s
        return min(wait_s, self.timeouts.response) if self.is_new_end else wait_s

    balance: BalanceRules = field(default=BalanceRules(), metadata=_ADDED)
    """How requests are spread over several instances."""
    health_interval_s: float = field(default=0.0, metadata=_ADDED)
    """How often each of several instances is asked whether it is well; 0: not at all."""

    @property
    def authority(self) -> bytes:
        """host[:port] as in a Host field, without the scheme's default port."""
        return authority_of(self.scheme, self.host, self.port)


@dataclass(frozen=True, slots=True)
class BreachRules:
    """When the new side counts as broken, and legacy as better: rule 2 (docs/decisions/gates.md). Parts."""

    points: float = 16.0
    """At which a card is full."""
    hard: float = 0.7
    """The hard card expects a broken side to fail in this part of the requests."""
    above: float = 0.05
    """The soft card expects it to fail so much more often than usual."""
    times: float = 2.0
    """So many times as often as legacy, and `margin` more, it has to fail for a rollback."""
    margin: float = 0.01
    per_second: float = 25.0
    """So many requests of a second weigh at most."""
    remember_s: float = field(default=30 * 86400.0, metadata=_ADDED)
    """For so long it is known what legacy was seen to fail as well."""


@dataclass(frozen=True, slots=True)
class GateRules:
    """How much evidence a step forward needs (docs/decisions/gates.md). `above_10`: at a share of more than 10 %.

    A margin of None is the default one, which a small `min` widens; a margin that is set holds as it is.
    """

    min: int = 600
    """Requests to the new side at the first look."""
    min_above_10: int = 1200
    delta: float | None = None
    """How much more often the new side may fail: 0.01 = one percentage point."""
    delta_above_10: float | None = None
    min_shadow: int = 539
    """Comparisons in shadow at the first look."""
    parity: float | None = None
    """The part of compared answers that must be equal."""
    latency: bool = field(default=True, metadata=_ADDED)
    """Whether durations are judged."""
    sizes: bool = field(default=True, metadata=_ADDED)
    """Whether sizes of answers are judged."""
    p95_ratio: float = field(default=1.2, metadata=_ADDED)
    """So many times as long, or as large, as legacy's is too much."""
    min_latency: int = field(default=1800, metadata=_ADDED)
    """Answers of the new side in canary before durations and sizes are judged."""
    min_pairs: int = field(default=300, metadata=_ADDED)
    """The same in shadow: compared pairs."""
    latency_slack_s: float = field(default=0.001, metadata=_ADDED)
    """A difference of so few seconds is none."""
    latency_skip_s: float = field(default=300.0, metadata=_ADDED)
    """So much of each step does not count: caches and connections are cold."""
    latency_window_s: float = field(default=1800.0, metadata=_ADDED)
    """Later answers than these count alone, where they are enough."""
    exercised_days: int = field(default=7, metadata=_ADDED)
    """What legacy was asked for within so many days, the new side should have been asked for, too."""
    latency_required: bool = field(default=False, metadata=_ADDED)
    """A plan waits for the verdict about durations and sizes. Else only a bad one keeps it back."""
    breach: BreachRules = field(default=BreachRules(), metadata=_ADDED)


@dataclass(frozen=True, slots=True)
class Movable:
    """What moves together through the migration: a group of routes, or a route that is in none."""

    name: str
    kind: Literal["group", "route"]
    state: MigrationState = MigrationState.LEGACY
    share: int = 0
    """Basis points of the users on the extracted side in canary: 0 … 10000."""
    salt: str = ""
    data: Literal["shared", "own"] = "shared"
    anonymous: str = "legacy"
    """legacy | address | random | cookie | header:NAME"""
    serialize: Literal["user"] | None = None
    retire_after_s: float = 14 * 86400.0
    gate: GateRules = field(default=GateRules(), metadata=_ADDED)
    plan: PlanRules | None = field(default=None, metadata=_ADDED)
    kept_back: int = field(default=0, metadata=_DERIVED)
    """Basis points of the users who stay on legacy in extracted, or in canary below a higher share: a holdback, or half
    of them while the new side is probed."""

    @property
    def draws(self) -> bool:
        """Whether the user decides which side takes a request."""
        return self.state is MigrationState.CANARY or self.kept_back > 0


@dataclass(frozen=True, slots=True)
class Auth:
    """Who may call the extracted side, and who says so: the gateway, or the service (`upstream`)."""

    require: Literal["open", "authenticated"] | frozenset[str] = "open"
    enforce: Literal["upstream", "gateway"] = "upstream"
    pass_on: tuple[Literal["address", "credential"], ...] = field(default=(), metadata=_ADDED)
    """What else the service is told about the caller, beside the internal token."""


@dataclass(frozen=True, slots=True)
class ShadowRules:
    """How the answers of a route are compared. Paths: `$.data.updatedAt`, `[*]` for each element."""

    pure: bool = True
    share: int = 10000
    timeout_s: float = 5.0
    concurrency: int = 8
    max_body: int = 1 << 20
    ignore: tuple[str, ...] = ()
    unordered: tuple[str, ...] = ()
    headers: tuple[str, ...] = ("content-type", "location", "etag", "cache-control", "vary")
    show_values: bool = False


@dataclass(frozen=True, slots=True)
class RateLimit:
    """`rate` as in "100/minute", or several with commas between: all of them hold. Raises ValueError.

    It counts by verified user or by credential (by address where there is none), or by address.
    """

    rate: str
    by: Literal["user", "address", "credential"] = "user"
    burst: int | None = field(default=None, metadata=_ADDED)
    """So many requests at once in the shortest window. None: as many as its rate says."""
    unavailable: Literal["open", "closed"] = field(default="open", metadata=_ADDED)
    """While the shared counters are away: each gateway counts by itself, or the route answers 503."""
    rates: tuple[Rate, ...] = field(init=False, compare=False, repr=False)
    """The shortest window first."""
    windows: tuple[Window, ...] = field(init=False, compare=False, repr=False)
    """One for each of `rates`."""

    def __post_init__(self) -> None:
        rates = parse_rates(self.rate)
        object.__setattr__(self, "rates", rates)
        object.__setattr__(self, "windows", windows_of(rates, self.burst))

    def __str__(self) -> str:
        """As in `100/minute by user`, `10/second, 100/minute (burst 20) by address`."""
        burst = f" (burst {self.burst})" if self.burst is not None else ""
        closed = ", closed while Redis is away" if self.unavailable == "closed" else ""
        return f"{self.rate}{burst} by {self.by}{closed}"


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A path template over the match's variables for each side; Location and Set-Cookie are mapped back."""

    legacy: str | None = None
    extracted: str | None = None


@dataclass(frozen=True, slots=True)
class Route:
    """One declared route; `variables`: the names in its path, in order."""

    id: str
    path: str
    methods: frozenset[bytes] | None
    movable: Movable
    legacy: Service
    extracted: Service | None = None
    variables: tuple[str, ...] = ()
    auth: Auth = Auth()
    shadow: ShadowRules | None = None
    limit: RateLimit | None = None
    max_body: int | None = None
    rewrite: Rewrite = Rewrite()
    ambiguous: Literal["keep", "reject"] = "keep"
    undeclared: bool = False
    """It is the last route: its requests count as undeclared traffic."""
    publish: PublishRules | None = None
    """Instead of `extracted`: its requests become messages."""
    aggregate: AggregateRules | None = field(default=None, metadata=_ADDED)
    """Instead of `extracted`: its requests are answered with several calls."""
    new: bool = False
    """The monolith never had it, so there is nothing to compare."""
    accept: tuple[AcceptRule, ...] = field(default=(), metadata=_ADDED)
    """Differences that do not count, of the route and of its group."""
    line: int = 0

    @property
    def has_new_end(self) -> bool:
        """Whether there is a place besides the monolith that it can go to."""
        return self.extracted is not None or self.publish is not None or self.aggregate is not None


@dataclass(frozen=True, slots=True)
class PathRules:
    """How the monolith's router compares paths. `decode_literals`: percent-decode before comparing literals."""

    case_sensitive: bool = True
    trailing_slash: Literal["strict", "ignore"] = "strict"
    decode_literals: bool = False


@dataclass(frozen=True, slots=True)
class ErrorTemplate:
    """The body of an answer that the gateway makes itself; {status} {reason} {message} {code} {request_id}."""

    content_type: str
    body: str


@dataclass(frozen=True, slots=True)
class IdentityRules:
    """An identity provider and its options (`jwt`, `introspect`), or `module:factory` of a plugin."""

    kind: Literal["jwt", "introspect", "plugin"]
    plugin: str | None = None
    options: tuple[tuple[str, object], ...] = ()


@dataclass(frozen=True, slots=True)
class RouteTable:
    """Everything in routes.yaml that serving a request needs."""

    digest: str
    routes: tuple[Route, ...]
    services: Mapping[str, Service]
    movables: Mapping[str, Movable]
    paths: PathRules = PathRules()
    identity: tuple[IdentityRules, ...] = ()
    """The providers, in the order in which they are asked."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
    identity_headers: tuple[str, ...] = ()
    """Fields that say who calls, besides the built-in ones: lower case, a prefix ends with `*`."""
    errors: Mapping[str, ErrorTemplate] = field(default_factory=dict)
    """By status ("401") or "default"."""
    reflects_origin: bool = field(default=False, metadata=_ADDED)
    """A page of any origin may read the answers that the gateway makes itself."""
    rest: str = field(default="", compare=False, repr=False)
    """The digest's text of all but the movables, once it was made: a move changes nothing of it."""

    def with_movables(self, movables: Mapping[str, Movable]) -> "RouteTable":
        """A table with these movables instead of those of the same name, and with its own digest."""
        strange = movables.keys() - self.movables.keys()
        if strange:
            raise ValueError(f"no group or route is called {', '.join(sorted(strange))}")
        merged = {**self.movables, **movables}
        routes = tuple(replace(route, movable=merged[route.movable.name]) for route in self.routes)
        return replace(self, routes=routes, movables=merged)._sealed(self.rest or self._rest())

    def sealed(self) -> "RouteTable":
        """The same table with the digest of its content: states and shares count, comments and lines do not."""
        return self._sealed(self._rest())

    def _rest(self) -> str:
        left_out = ("digest", "movables", "rest")
        said = _members(self, left_out)
        if len(self.identity) < 2:
            said["identity"] = _canonical(self.identity[0]) if self.identity else _NOBODY_KNOWN
        return _json(said)

    def _sealed(self, rest: str) -> "RouteTable":
        """Digests keep the old name of movables, `units`, the last one by the alphabet: an upgrade changes none."""
        units = ",".join(f"{_json(name)}:{_movable_text(one)}" for name, one in sorted(self.movables.items()))
        text = f'{rest[:-1]},"units":{{{units}}}}}'
        return replace(self, digest=hashlib.sha256(text.encode()).hexdigest()[:DIGEST_LENGTH], rest=rest)


DIGEST_LENGTH = 16
_NOBODY_KNOWN: dict[str, object] = {"kind": "none", "plugin": None, "options": []}


def _json(value: object) -> str:
    return json.dumps(value, sort_keys=True, separators=(",", ":"))


@lru_cache(maxsize=10_000)
def _movable_text(movable: Movable) -> str:
    """A move changes one movable, and a table may have hundreds."""
    return _json(_canonical(movable))


def _canonical(value: object) -> object:
    """A value of this module as plain JSON. A route holds the names of its services and movable, not their contents."""
    if isinstance(value, Route):
        named = {"unit": value.movable.name, "legacy": value.legacy.name}
        return _members(value, leave_out=("line", "movable", "legacy")) | named
    if is_dataclass(value):
        return _members(value)
    if isinstance(value, Mapping):
        return {str(key): _canonical(each) for key, each in value.items()}
    if isinstance(value, frozenset):
        return sorted(str(_canonical(each)) for each in value)
    if isinstance(value, tuple):
        return [_canonical(each) for each in value]
    if isinstance(value, bytes):
        return value.decode("latin-1")
    return value if value is None or isinstance(value, str | int | float) else str(value)


def _members(value: Any, leave_out: tuple[str, ...] = ()) -> dict[str, object]:
    said = ((part, getattr(value, part.name)) for part in fields(value) if part.compare and part.name not in leave_out)
    return {part.name: _canonical(each) for part, each in said if not _is_left_out(part, each)}


def _is_left_out(part: Any, value: object) -> bool:
    return bool(part.metadata) and ("derived" in part.metadata or value == part.default)
