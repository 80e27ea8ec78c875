"""Counts a request where it has to be counted."""

from collections.abc import Awaitable

from strangler_gateway.limits.counters import Count
from strangler_gateway.limits.memory import MemoryCounters
from strangler_gateway.limits.quota_policy import QuotaPolicy

Counted = Count | Awaitable[Count | None] | None
"""None: nobody can count now, and the route wants to be closed then."""


class Limiter:
    """The counters of one gateway."""

    def __init__(self, memory: MemoryCounters) -> None:
        self._memory = memory

    def take(self, route_id: str, policy: QuotaPolicy, caller: bytes) -> Counted:
        """Counts one request of the caller, now or by and by."""
        return self._memory.take(policy.windows, policy.prefix + caller)
