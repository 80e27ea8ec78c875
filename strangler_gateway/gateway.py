"""The parts of one gateway, put together: for the process (main) and for those who embed it. No step knows it."""

import asyncio
import logging
import secrets
from dataclasses import dataclass, field

from chassis.discovery.open import Discovery
from chassis.settings import SettingsInvalid, revealed
from strangler_gateway.aggregate.aggregation import Aggregates
from strangler_gateway.exchange.clocks import Clocks
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Handler
from strangler_gateway.exchange.own_answers import OwnAnswers
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.http.date import HttpDate
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.identity.authority import Authority
from strangler_gateway.identity.signer import Signer
from strangler_gateway.limits.limiter import Limiter, OwnCounters
from strangler_gateway.limits.memory import MemoryCounters
from strangler_gateway.limits.redis import RedisCounters
from strangler_gateway.publish.broker import Publishing
from strangler_gateway.publish.publisher import RequestPublisher
from strangler_gateway.recording.record import Recorder
from strangler_gateway.redis.address import parse_redis_url
from strangler_gateway.server.admission import AdmissionControl
from strangler_gateway.server.front import Front
from strangler_gateway.settings import Settings
from strangler_gateway.shadow.examples import Examples
from strangler_gateway.shadow.second_call import SecondCalls
from strangler_gateway.shadow.shadow import Shadow
from strangler_gateway.steps.aggregate import FIRST_OF_CALL, Aggregate
from strangler_gateway.steps.authorize import Authorize
from strangler_gateway.steps.decide import Decide
from strangler_gateway.steps.exchange_credential import ExchangeCredential
from strangler_gateway.steps.forward import Forward
from strangler_gateway.steps.identify import Identify
from strangler_gateway.steps.limit import Limit
from strangler_gateway.steps.match import Match
from strangler_gateway.steps.observe import Observe, Observer
from strangler_gateway.steps.pipeline import Pipeline, Step
from strangler_gateway.steps.publish import Publish
from strangler_gateway.steps.serialize import Serialize, WriteTurns
from strangler_gateway.table.current_table import CurrentTable
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import RouteTable
from strangler_gateway.telemetry.access_log import AccessLog
from strangler_gateway.telemetry.log_throttle import LogThrottle
from strangler_gateway.telemetry.request_traces import RequestTraces
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.turns.needed import expect_shared, needed
from strangler_gateway.turns.shared import SharedTurns
from strangler_gateway.upstream.discovery import DiscoveredServices
from strangler_gateway.upstream.upstreams import Upstreams

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Outside:
    """What a gateway is given beside its settings and its first table."""

    log: AccessLog
    signer: Signer
    stats: Stats = field(default_factory=Stats)
    examples: Examples = field(default_factory=Examples)
    publishing: Publishing = field(default_factory=Publishing)
    shared_counters: RedisCounters | None = None
    discovery: Discovery = field(default_factory=Discovery)
    clocks: Clocks = field(default_factory=Clocks)
    mark: str = field(default_factory=lambda: secrets.token_hex(4))
    """Tells this gateway from others in Via fields."""
    turns: WriteTurns | None = None
    """In place of those of this process."""
    counters: OwnCounters | None = None
    """The same, for rate limits."""
    traces: RequestTraces | None = None


class Gateway:
    """Everything that `front` needs, and what outlives a table. `adopt` swaps the table."""

    def __init__(self, settings: Settings, table: RouteTable, outside: Outside) -> None:
        self.settings, self.outside = settings, outside
        self._told_alone = False
        self.current = CurrentTable(table)
        self.throttle = LogThrottle()
        self.authority = Authority(table.identity, outside.signer, self.throttle)
        self.recorder = Recorder()
        self.via = f"{settings.name}-{outside.mark}".encode()
        self.http_date = HttpDate(outside.clocks.wall)
        self.own_answers = OwnAnswers(settings.name, self.current, self.http_date)
        batch = WriteBatch()
        self.observer = Observer(outside.stats, outside.log, outside.clocks.now, outside.clocks.wall)
        self.upstreams = Upstreams(outside.clocks.now, settings.max_response_header, batch)
        self.upstreams.keep(table.services)
        self.discovered = DiscoveredServices(outside.discovery.watch, self.upstreams.set_instances)
        self.shadow = self._shadow()
        self.turns = _shared_turns(settings)
        self._expect_turns(table)
        counters = outside.counters or MemoryCounters(outside.clocks.now)
        self.limiter = Limiter(counters, outside.shared_counters, outside.stats)
        self.steps = self._way()
        self.pipeline = Pipeline(self.steps)
        self.front = Front(
            settings=settings,
            keep_alive_s=settings.keep_alive_s,
            current=self.current,
            pipeline=self.pipeline,
            own_answers=self.own_answers,
            done=self.observer.done,
            refused=self.observer.refused,
            batch=batch,
            now=outside.clocks.now,
            admission=AdmissionControl(outside.clocks.now, batch, settings.queue_wait_s),
        )

    def _shadow(self) -> Shadow:
        calls = SecondCalls(self.upstreams, self.authority, self.outside.signer, self.own_answers, self.via)
        outside = self.outside
        return Shadow(calls, outside.stats, self.throttle, outside.examples, now=outside.clocks.now)

    def _way(self) -> tuple[Step, ...]:
        """The way of a request, in its order."""
        outside, clocks = self.outside, self.outside.clocks
        debug_token = self.settings.debug_token
        exchange_credential = ExchangeCredential(self.authority, self.throttle, outside.stats)
        publisher = RequestPublisher(outside.publishing, outside.stats, self.throttle, clocks, outside.traces)
        aggregates = Aggregates(self._way_of_call, self.observer.done, self.settings, outside.stats, clocks.now)
        return (
            Observe(self.via, debug_token.get_secret_value().encode() if debug_token else None, outside.traces),
            Match(self.current),
            Identify(self.authority, self.throttle, clocks.wall, bool(self.settings.store)),
            Limit(self.limiter, outside.stats),
            Decide(self.upstreams, self.shadow, self.recorder, clocks.random_bytes),
            Authorize(self.authority, outside.signer, self.throttle),
            exchange_credential,
            Serialize(outside.stats, outside.turns, self.turns, bool(self.settings.store)),
            Publish(publisher),
            Aggregate(aggregates),
            Forward(self.upstreams, outside.stats, self.via, self.http_date, exchange_credential, outside.traces),
        )

    async def _way_of_call(self, exchange: Exchange) -> Reply | Handler:
        """A call of an aggregate goes the way of every request."""
        exchange.step = FIRST_OF_CALL
        return await self.pipeline.resume(exchange, self.pipeline.run(exchange))

    def _expect_turns(self, table: RouteTable) -> None:
        """Raises SettingsInvalid."""
        expect_shared(self.settings, table)
        names = needed(table)
        if names and self.turns is not None:
            self.turns.begin()
        elif names and not self._told_alone:
            self._told_alone = True
            log.info(
                "`serialize: user` (%s) holds in this gateway alone: STRANGLER_REDIS_URL is not set", ", ".join(names)
            )

    async def start(self) -> None:
        """Before it serves: finds the instances of its first table's services, for some seconds at most.

        Raises SettingsInvalid.
        """
        await self.limiter.start()
        services = self.current.table.services
        self.discovered.keep(services, self.discovered.opened(services))
        await self.discovered.first_answers()

    def adopt(self, table: RouteTable) -> None:
        """Serves another table from the next request on.

        Raises IdentityRulesInvalid, SettingsInvalid; the old one stays then.
        """
        self._expect_turns(table)
        matcher, watches = Matcher(table), self.discovered.opened(table.services)
        self.authority.adopt(table.identity)
        self.current.adopt(matcher)
        self.upstreams.keep(table.services)
        self.discovered.keep(table.services, watches)
        self.outside.examples.keep(table)

    async def aclose(self) -> None:
        """Ends comparisons, calls, connections and providers; writes the log out. `publishing` is its owner's."""
        await self.shadow.aclose()
        await self.discovered.aclose()
        self.outside.discovery.close()
        self.upstreams.close()
        await self.authority.aclose()
        await self.limiter.aclose()
        if self.turns is not None:
            await self.turns.aclose()
        self.outside.log.flush()
        if self.outside.traces is not None:
            await asyncio.to_thread(self.outside.traces.close)


def _shared_turns(settings: Settings) -> SharedTurns | None:
    """None: this process gives turns by itself. Raises SettingsInvalid."""
    url = revealed(settings.redis_url)
    try:
        return SharedTurns(parse_redis_url(url)) if url else None
    except ValueError as exc:
        raise SettingsInvalid(f"STRANGLER_REDIS_URL: {exc}") from None
