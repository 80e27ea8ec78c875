"""A gateway without sockets, and requests that go through its steps."""

from collections.abc import Awaitable, Mapping
from dataclasses import replace
from functools import cache
from io import BytesIO
from typing import Any

from chassis.auth.claims import AuthenticationOutcome, Fields, Identity
from strangler_gateway.exchange.clocks import Clocks
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.head_memory import HeadMemory
from strangler_gateway.exchange.outcome import Outcome
from strangler_gateway.gateway import Gateway, Outside
from strangler_gateway.http.request_head import parse_request
from strangler_gateway.identity.providers import source_of
from strangler_gateway.identity.signer import Signer, ephemeral_signer
from strangler_gateway.settings import Settings
from strangler_gateway.steps.decide import Decide
from strangler_gateway.steps.pipeline import Step
from strangler_gateway.table.routes import (
    Auth,
    MigrationState,
    Movable,
    RateLimit,
    Route,
    RouteTable,
    Service,
    ShadowRules,
)
from strangler_gateway.telemetry.access_log import AccessLog

MONOLITH = Service("monolith", "http", "127.0.0.1", 1)
SHOP = Service("shop", "http", "127.0.0.1", 2)
OPEN = Auth()
ALICE = Identity(AuthenticationOutcome.USER, "alice", ("user",), credential=b"alice's digest")
REJECTED = Identity(AuthenticationOutcome.REJECTED, credential=b"bad digest")


class Provider:
    """Tells what the test says; `asked` and `confirmed` count."""

    def __init__(self, known: Identity | Exception = ALICE, live: Identity | Exception | None = None) -> None:
        self.known, self.live = known, live if live is not None else known
        self.asked = self.confirmed = 0

    def identify(self, fields: Fields) -> Identity | Awaitable[Identity]:
        self.asked += 1
        return told(self.known)

    def confirm(self, identity: Identity, fields: Fields) -> Identity | Awaitable[Identity]:
        self.confirmed += 1
        return told(self.live)

    async def aclose(self) -> None:
        """Holds nothing."""


class LaterProvider(Provider):
    """The same, told only to those who wait."""

    async def identify(self, fields: Fields) -> Identity:
        self.asked += 1
        return told(self.known)

    async def confirm(self, identity: Identity, fields: Fields) -> Identity:
        self.confirmed += 1
        return told(self.live)


def told(answer: Identity | Exception) -> Identity:
    """The identity, or the exception as one that is raised."""
    if isinstance(answer, Exception):
        raise answer
    return answer


def route(
    state: MigrationState = MigrationState.CANARY,
    *,
    share: int = 10_000,
    anonymous: str = "legacy",
    salt: str = "s",
    extracted: Service | None = SHOP,
    legacy: Service = MONOLITH,
    auth: Auth = OPEN,
    limit: RateLimit | None = None,
    shadow: ShadowRules | None = None,
) -> Route:
    """One route that takes everything."""
    unit = Movable("items", "group", state, share, salt, anonymous=anonymous)
    rest = {"auth": auth, "limit": limit, "shadow": shadow}
    return Route("everything", "/{rest...}", None, unit, legacy, extracted, ("rest",), **rest)  # type: ignore[arg-type]


def table(*routes: Route) -> RouteTable:
    """Of these routes, with the services and units that they name."""
    services = {s.name: s for r in routes for s in (r.legacy, r.extracted) if s is not None}
    return RouteTable("digest", routes, services, {r.movable.name: r.movable for r in routes})


@cache
def signer() -> Signer:
    """One key for all tests: making one is slow."""
    return ephemeral_signer()


def gateway_for(one: Route, provider: object = None, clocks: Clocks | None = None, **more: str) -> Gateway:
    """A gateway of one route; its log goes nowhere. `more`: of its settings."""
    settings = Settings.model_validate({"routes": "routes.yaml", **more})
    gateway = Gateway(settings, table(one), Outside(AccessLog(BytesIO()), signer(), clocks=clocks or Clocks()))
    asking(gateway, *([] if provider is None else [provider]))
    return gateway


def asking(gateway: Gateway, *providers: Any) -> None:
    """The gateway asks these providers, whatever the test brings."""
    gateway.authority.sources = tuple(source_of(provider) for provider in providers)


def exchange(
    gateway: Gateway,
    fields: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    target: str = "/item/1",
    peer: str = "192.0.2.7",
    scheme: bytes = b"http",
) -> Exchange:
    """A request that has just been matched."""
    lines = "".join(f"{name}: {value}\r\n" for name, value in ({"Host": "shop.example"} | dict(fields or {})).items())
    head = parse_request(f"{method} {target} HTTP/1.1\r\n{lines}\r\n".encode(), 16384, 65536, 200)
    x = Exchange(head, HeadMemory(), gateway.current.table, peer, scheme, gateway.front.now())
    x.route, x.variables = gateway.current.matcher.match(x.method, x.head.path)
    return x


def step(gateway: Gateway, kind: type[Step], x: Exchange) -> Outcome:
    """Runs one step of the gateway's way alone."""
    return next(one for one in gateway.steps if isinstance(one, kind)).run(x)


def decided(
    gateway: Gateway, fields: Mapping[str, str] | None = None, who: Identity | None = None, **more: Any
) -> Exchange:
    """A request of `who` whose side has been chosen."""
    x = exchange(gateway, fields, **more)
    known_as(gateway, x, who)
    step(gateway, Decide, x)
    return x


def known_as(gateway: Gateway, x: Exchange, who: Identity | None) -> None:
    """As the gateway's first provider has said."""
    x.identity = who
    x.identified_by = next((source.provider for source in gateway.authority.sources), None)


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def changed(identity: Identity = ALICE, **values: object) -> Identity:
    """The identity, with other values."""
    return replace(identity, **values)  # type: ignore[arg-type]  # as the test says
