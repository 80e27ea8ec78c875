"""The counters in memory and in Redis, behind one small interface, with a clock that the test sets."""

from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Protocol

from strangler_gateway.limits.counters import Count
from strangler_gateway.limits.limiter import Limiter
from strangler_gateway.limits.memory import MemoryCounters
from strangler_gateway.limits.quota_policy import QuotaPolicy
from strangler_gateway.limits.redis import SCRIPT, RedisCounters
from strangler_gateway.redis.address import parse_redis_url
from strangler_gateway.redis.connection import CONNECT_S
from strangler_gateway.redis.link import encoded, open_link
from strangler_gateway.table.routes import RateLimit
from strangler_gateway.telemetry.stats import Stats
from tests.support.connected import fresh_name
from tests.support.gateway.exchanges import Clock

PATIENT_S = 5.0


class Counting(Protocol):
    """Counts requests; time passes when the test says so."""

    async def take(self, policy: QuotaPolicy, caller: bytes) -> Count: ...
    async def pass_time(self, seconds: float) -> None: ...


class InMemory:
    def __init__(self) -> None:
        self._clock = Clock()
        self._counters = MemoryCounters(self._clock)

    async def take(self, policy: QuotaPolicy, caller: bytes) -> Count:
        return self._counters.take(policy.windows, policy.prefix + caller)

    async def pass_time(self, seconds: float) -> None:
        self._clock.now += seconds


class InRedis:
    """Its script reads the clock from a key of this test."""

    def __init__(self, url: str) -> None:
        self._key = fresh_name().encode()
        time = b"{redis.call('GET', '%b'), 0}" % self._key
        script = SCRIPT.replace(b"redis.call('TIME')", time)
        assert time in script
        self._now = 1_000.0
        self._url = url
        self.counters = RedisCounters(parse_redis_url(url), PATIENT_S, script=script)

    async def start(self) -> None:
        await self.pass_time(0)
        await self.counters.start()
        assert self.counters.problem is None

    async def take(self, policy: QuotaPolicy, caller: bytes) -> Count:
        answer = self.counters.ask(policy, caller)
        assert answer is not None
        count = self.counters.read(await answer)
        assert count is not None
        return count

    async def pass_time(self, seconds: float) -> None:
        self._now += seconds
        assert await redis(self._url, b"SET", self._key, b"%.6f" % self._now, b"EX", b"600") == b"OK"


@asynccontextmanager
async def in_redis(url: str) -> AsyncIterator[InRedis]:
    counting = InRedis(url)
    await counting.start()
    try:
        yield counting
    finally:
        await counting.counters.aclose()


async def redis(url: str, *words: bytes) -> object:
    """What Redis answers to one command."""
    link = await open_link(parse_redis_url(url))
    try:
        return await link.ask(encoded(*words), CONNECT_S)
    finally:
        link.give_up("done")


def policy(rate: str, burst: int | None = None, *, route: str = "", closed: bool = False) -> QuotaPolicy:
    """Of a route that no other test has."""
    rule = RateLimit(rate, "address", burst, "closed" if closed else "open")
    return QuotaPolicy(route or fresh_name(), rule)


def limiter(url: str, timeout_s: float, stats: Stats) -> tuple[Limiter, RedisCounters]:
    """As a gateway has it."""
    shared = RedisCounters(parse_redis_url(url), timeout_s)
    return Limiter(MemoryCounters(Clock()), shared, stats), shared


async def taken(one: Limiter, policy: QuotaPolicy, caller: bytes = b"a") -> str:
    """`pass`, `over`, or `closed`."""
    count = one.take("route", policy, caller)
    counted = await count if isinstance(count, Awaitable) else count
    if counted is None:
        return "closed"
    return "over" if counted.wait_us else "pass"
