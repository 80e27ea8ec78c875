"""Requests as the steps leave them behind, in the gateway's own counters, second by second; no socket, no clock."""

from collections.abc import Sequence

from strangler_gateway.evidence.group_cards import GroupJudgement
from strangler_gateway.exchange.decision import SHARE_IN, STATE_EXTRACTED, Decision
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.head_memory import HeadMemory
from strangler_gateway.http.request_head import parse_request
from strangler_gateway.migration.sentinel import OwnFailures, Sentinel
from strangler_gateway.table.routes import MigrationState, Movable, Route, RouteTable, Service
from strangler_gateway.telemetry.stats import Stats

UNIT = "items"
SERVICE = Service("m", "http", "h", 80)
_HEAD = parse_request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1000, 1000, 10)
_STAGES = {499: b"client", 502: b"connect", 504: b"response"}


class SimulatedGateway:
    """One gateway with one group in canary or extracted; `routes` are names."""

    def __init__(
        self, routes: Sequence[str] = ("read",), state: MigrationState = MigrationState.CANARY, share: int = 1000
    ) -> None:
        self.stats = Stats(lambda: 0.0)
        self.unit = Movable(UNIT, "group", state, share)
        self.routes = [Route(name, f"/{name}", None, self.unit, SERVICE, SERVICE) for name in routes]
        self.table = RouteTable("d", tuple(self.routes), {"m": SERVICE}, {UNIT: self.unit})
        self.stats.begin_step(UNIT, 0.0, share, routes)

    def request(
        self, user: int, decision: Decision = SHARE_IN, status: int = 200, route: int = 0, peer: str = "192.0.2.1"
    ) -> None:
        """One has ended."""
        exchange = Exchange(_HEAD, HeadMemory(), self.table, peer, b"http", 0.0)
        exchange.route, exchange.decision, exchange.status = self.routes[route], decision, status
        exchange.stage = _STAGES.get(status, b"")
        if decision is not STATE_EXTRACTED:
            exchange.key_hash, exchange.bucket = user, user % 10_000
        self.stats.count(exchange, 0.001)


class Watched:
    """A sentinel over gateways, asked at the end of each simulated second."""

    def __init__(self, gateway: SimulatedGateway) -> None:
        self.gateway = gateway
        source = OwnFailures(gateway.stats, lambda again: None)
        self.sentinel = Sentinel(source, lambda: {UNIT: [one.id for one in gateway.routes]})
        self.tick()

    def tick(self, seconds: float = 1.0) -> GroupJudgement:
        """What the sentinel says at the end of these seconds. Nothing waits, so no loop is needed."""
        look = self.sentinel.look(seconds)
        try:
            look.send(None)
        except StopIteration as done:
            found: GroupJudgement = done.value[UNIT]
            return found
        raise AssertionError("it waits for something")
