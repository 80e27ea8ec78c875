"""Requests as the steps leave them behind, in the gateway's own counters, second by second; no socket, no clock."""

import math
from collections.abc import Mapping, Sequence
from random import Random

from strangler_gateway.evidence.cards import Advice
from strangler_gateway.evidence.group_cards import GroupJudgement
from strangler_gateway.evidence.known_failures import KnownFailures
from strangler_gateway.exchange.decision import SHARE_IN, STATE_EXTRACTED, Decision
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.head_memory import HeadMemory
from strangler_gateway.http.request_head import parse_request
from strangler_gateway.migration.guards.sentinel import OwnFailures, Sentinel, WatchedGroup, watched
from strangler_gateway.table.routes import MigrationState, Movable, Route, RouteTable, Service
from strangler_gateway.table.rules.plan import PlanRules
from strangler_gateway.telemetry.migration_steps.first_failures import FirstFailures
from strangler_gateway.telemetry.stats import Stats

UNIT = "items"
SERVICE = Service("m", "http", "h", 80)
_HEAD = parse_request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", 1000, 1000, 10)
_STAGES = {499: b"client", 502: b"connect", 504: b"response"}


class SimulatedGateway:
    """One gateway with one group in canary or extracted; `routes` are names."""

    def __init__(
        self,
        routes: Sequence[str] = ("read",),
        state: MigrationState = MigrationState.CANARY,
        share: int = 1000,
        plan: PlanRules | None = PlanRules(()),  # noqa: B008  # immutable
    ) -> None:
        self.stats = Stats(lambda: 0.0)
        self.names, self.state, self.plan = routes, state, plan
        self.known: Sequence[KnownFailures] = ()
        """What legacy was seen to fail as well."""
        self.left = False
        """The group has gone back to legacy."""
        self.share(share)

    def share(self, share: int) -> None:
        """Moves to this share."""
        self.unit = Movable(UNIT, "group", self.state, share, plan=self.plan)
        self.routes = [Route(name, f"/{name}", None, self.unit, SERVICE, SERVICE) for name in self.names]
        self.table = RouteTable("d", tuple(self.routes), {"m": SERVICE}, {UNIT: self.unit})
        self.stats.begin_step(UNIT, 0.0, share, self.names)

    def watched(self) -> dict[str, WatchedGroup]:
        """For a sentinel."""
        found = {} if self.left else watched(self.table)
        return {unit: group._replace(known=self.known) for unit, group in found.items()}

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
        self.sentinel = Sentinel(source, gateway.watched)
        self.tick()

    def tick(self, seconds: float = 1.0) -> GroupJudgement:
        """What the sentinel says at the end of these seconds."""
        return self.look(seconds)[UNIT]

    def look(self, seconds: float = 1.0) -> Mapping[str, GroupJudgement]:
        """The same of all movables. Nothing waits, so no loop is needed."""
        look = self.sentinel.look(seconds)
        try:
            look.send(None)
        except StopIteration as done:
            found: Mapping[str, GroupJudgement] = done.value
            return found
        raise AssertionError("it waits for something")


def poisson(draws: Random, mean: float) -> int:
    """How many events there are in a second that has so many on average."""
    if mean > 50:
        return max(0, round(draws.gauss(mean, math.sqrt(mean))))
    number, product, limit = 0, draws.random(), math.exp(-mean)
    while product > limit:
        number, product = number + 1, product * draws.random()
    return number


def binomial(draws: Random, requests: int, part: float) -> int:
    """How many of the requests fail."""
    if requests * part > 50 and requests * (1 - part) > 50:
        return min(max(0, round(draws.gauss(requests * part, math.sqrt(requests * part * (1 - part))))), requests)
    if part > 0.05:
        return sum(draws.random() < part for _ in range(requests))
    return min(poisson(draws, requests * part), requests)


class Seconds:
    """Simulated seconds of one group: how many requests there are and how many fail is drawn; users are heavy-tailed.

    Requests of the same second are added up, so that an hour of 1,000 a second takes a moment.
    """

    def __init__(self, seed: int, per_second: float, share: float, users: int = 100_000) -> None:
        self.draws, self.per_second, self.share, self.users = Random(seed), per_second, share, users
        self.gateway = SimulatedGateway(share=round(10_000 * share))
        self.watched = Watched(self.gateway)

    def pass_one(self, new: float, legacy: float, times: float = 1.0, seconds: float = 1.0) -> GroupJudgement:
        """`new`, `legacy`: parts that fail; `times` as many requests as usual."""
        rate = self.per_second * times * seconds
        counts = self.gateway.stats.steps[UNIT].of("read")
        asked, failed = self._side(counts.first_new, rate * self.share, new)
        counts.new += asked
        counts.failed_new += failed
        asked, failed = self._side(counts.first_legacy, rate * (1 - self.share), legacy)
        counts.legacy += asked
        counts.failed_legacy += failed
        return self.watched.tick(seconds)

    def quiet(self, base: float = 0.005) -> None:
        """Ten minutes in which both sides fail as usual."""
        for _ in range(60):
            assert self.pass_one(base, base, seconds=10.0).advice is Advice.OK

    def until_rollback(self, new: float, most: int, legacy: float = 0.005) -> int | None:
        """Seconds from the break of the new side to the rollback."""
        for second in range(1, most + 1):
            if self.pass_one(new, legacy).advice is Advice.ROLLBACK:
                return second
        return None

    def _side(self, first: FirstFailures, rate: float, part: float) -> tuple[int, int]:
        """Requests and failures of this second that count: those of users who have not failed yet."""
        known = frozenset(first.users)
        asked = poisson(self.draws, rate * (1 - sum(map(self._part_of, known))))
        failed = binomial(self.draws, asked, part)
        again = 0
        for _ in range(failed):
            while (user := int(self.users * self.draws.random() ** _TAIL)) in known:
                pass
            again += user in first.users
            if user not in first.users:
                first.fail(user)
        return asked - again, failed - again

    def _part_of(self, user: int) -> float:
        """The part of all requests that is this user's."""
        return float(((user + 1) / self.users) ** (1 / _TAIL) - (user / self.users) ** (1 / _TAIL))


_TAIL = 3
"""Of 100,000 users one makes 2 % of the requests, and a hundred make 10 %."""
