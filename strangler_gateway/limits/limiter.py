"""Counts a request where it has to be counted: in Redis, if there is one, else in this process."""

import asyncio
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Protocol

from strangler_gateway.limits.counters import Count
from strangler_gateway.limits.quota_policy import QuotaPolicy
from strangler_gateway.limits.redis import RedisCounters
from strangler_gateway.redis.link import RedisAnswer
from strangler_gateway.table.rules.rate import Window
from strangler_gateway.telemetry.stats import Stats

Counted = Count | Awaitable[Count | None] | None
"""None: nobody can count now, and the route wants to be closed then."""


@dataclass(frozen=True, slots=True)
class LimiterStatus:
    """`redis`: where it is, None for a gateway that counts by itself; `problem`: why it cannot count there now."""

    redis: str | None
    problem: str | None
    forgotten: int
    """Callers that the memory of this process had no room for."""


class OwnCounters(Protocol):
    """Those of one gateway."""

    @property
    def forgotten(self) -> int:
        """Callers that had to make room for others."""
        ...

    def take(self, windows: Sequence[Window], key: bytes, /) -> Counted:
        """Counts one request of the caller `key`, which names the windows too."""
        ...


class Limiter:
    """`memory`: the counters of this gateway alone; `shared`: those that it has in common with others."""

    def __init__(self, memory: OwnCounters, shared: RedisCounters | None, stats: Stats) -> None:
        self._memory, self._shared, self._stats = memory, shared, stats

    def take(self, route_id: str, policy: QuotaPolicy, caller: bytes) -> Counted:
        """Counts one request of the caller, now or by and by."""
        shared = self._shared
        if shared is None:
            return self._memory.take(policy.windows, policy.prefix + caller)
        answer = shared.ask(policy, caller)
        if answer is None:
            return self._alone(route_id, policy, caller)
        return self._together(shared, answer, route_id, policy, caller)

    async def _together(
        self,
        shared: RedisCounters,
        answer: asyncio.Future[RedisAnswer],
        route_id: str,
        policy: QuotaPolicy,
        caller: bytes,
    ) -> Count | None:
        count: Counted = shared.read(await answer)
        if count is None:
            count = self._alone(route_id, policy, caller)
        return await count if isinstance(count, Awaitable) else count

    def _alone(self, route_id: str, policy: QuotaPolicy, caller: bytes) -> Counted:
        """Redis is away: this gateway counts by itself, if the route is open then."""
        self._stats.route(route_id).limit_unavailable += 1
        if policy.rule.unavailable == "closed":
            return None
        return self._memory.take(policy.windows, policy.prefix + caller)

    @property
    def status(self) -> LimiterStatus:
        """For operators."""
        shared = self._shared
        if shared is None:
            return LimiterStatus(None, None, self._memory.forgotten)
        return LimiterStatus(str(shared.address), shared.problem, self._memory.forgotten)

    async def start(self) -> None:
        """Connects, if there is a place to connect to."""
        if self._shared is not None:
            await self._shared.start()

    async def aclose(self) -> None:
        """Ends the connection."""
        if self._shared is not None:
            await self._shared.aclose()
