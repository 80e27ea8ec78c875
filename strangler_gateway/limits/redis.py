"""Counters in Redis, for gateways that count together: one script, one round trip a request."""

import asyncio
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from strangler_gateway.limits.counters import Count
from strangler_gateway.limits.quota_policy import QuotaPolicy
from strangler_gateway.redis.address import RedisAddress
from strangler_gateway.redis.connection import RedisConnection
from strangler_gateway.redis.link import RedisAnswer
from strangler_gateway.redis.script import RedisScript

SCRIPT: Final = b"""
local time = redis.call('TIME')
local now = time[1] * 1000000 + time[2]
local windows, state = {}, {}
for number in string.gmatch(ARGV[1], '%d+') do windows[#windows + 1] = tonumber(number) end
local saved = redis.pcall('GET', KEYS[1])
if type(saved) == 'string' then
  for number in string.gmatch(saved, '%d+') do state[#state + 1] = tonumber(number) end
end
local wait, at = 0, 1
for i = 1, #windows, 3 do
  local capacity, refill, period = windows[i], windows[i + 1], windows[i + 2]
  local left, more_at = math.min(state[at] or capacity, capacity), math.min(state[at + 1] or 0, now + period)
  if now >= more_at then
    local periods = math.floor((now - more_at) / period) + 1
    left = left + periods * refill
    if left >= capacity then left, more_at = capacity, now + period else more_at = more_at + periods * period end
  end
  if left < 1 then wait = math.max(wait, more_at - now) end
  state[at], state[at + 1] = left, more_at
  at = at + 2
end
local kept, told, full = {}, {string.format('%.0f', wait)}, 0
for i = 1, #windows, 3 do
  at = (i - 1) / 3 * 2 + 1
  if wait == 0 then state[at] = state[at] - 1 end
  local left, more_at = state[at], state[at + 1]
  local periods = math.ceil((windows[i] - left) / windows[i + 1])
  full = math.max(full, more_at - now + (periods - 1) * windows[i + 2])
  kept[#kept + 1] = string.format('%.0f %.0f', left, more_at)
  told[#told + 1] = string.format('%.0f %.0f', left, more_at - now)
end
if wait == 0 then redis.call('SET', KEYS[1], table.concat(kept, ' '), 'PX', math.ceil(full / 1000)) end
return table.concat(told, ' ')
"""
"""As `counters.take`, by Redis' own clock. A key is gone when its windows would be full again."""


class RedisCounters:
    """On a connection of its own: what limits wait for is short, and may be late."""

    def __init__(
        self,
        address: RedisAddress,
        timeout_s: float,
        *,
        script: bytes = SCRIPT,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._redis = RedisConnection(
            address, timeout_s, RedisScript(script, b"strangler:limit:", (b"1 1 1",)), "rate limits", now
        )

    @property
    def address(self) -> RedisAddress:
        """Where Redis is."""
        return self._redis.address

    @property
    def problem(self) -> str | None:
        """Why nobody can count there now, or None."""
        return self._redis.problem

    async def start(self) -> None:
        """Returns after the first attempt to connect, whatever comes of it."""
        await self._redis.start()

    async def aclose(self) -> None:
        """Ends the connection."""
        await self._redis.aclose()

    def ask(self, policy: QuotaPolicy, caller: bytes) -> asyncio.Future[RedisAnswer] | None:
        """Counts one request of the caller; `read` tells what the answer means. None: Redis is away."""
        key = policy.prefix + blake2b(caller, digest_size=16).hexdigest().encode()
        return self._redis.call(key, policy.numbers)

    def read(self, answer: RedisAnswer) -> Count | None:
        """None: nobody could count."""
        if isinstance(answer, bytes):
            numbers = [int(number) for number in answer.split()]
            return Count(numbers[0], list(zip(numbers[1::2], numbers[2::2], strict=True)))
        if answer is not None:
            self._redis.give_up(f"it refuses to count: {answer}")
        return None
