"""Counters in Redis, for gateways that count together: one script, one round trip a request."""

import asyncio
import contextlib
import logging
import time
from collections.abc import Callable
from hashlib import blake2b
from typing import Final

from strangler_gateway.limits.counters import Count
from strangler_gateway.limits.quota_policy import QuotaPolicy
from strangler_gateway.limits.redis_link import RedisAnswer, RedisLink, RedisRefused, encoded, open_link
from strangler_gateway.limits.redis_url import RedisAddress
from strangler_gateway.telemetry.log_throttle import SubjectThrottle

log = logging.getLogger(__name__)
CONNECT_S: Final = 1.0
RETRY_S: Final = 0.5
_KEY: Final = b"strangler:limit:"
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
    """Holds one connection, and opens it again when it is lost. `problem`: why nobody can count there now, or None."""

    def __init__(
        self,
        address: RedisAddress,
        timeout_s: float,
        *,
        script: bytes = SCRIPT,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.address = address
        self.problem: str | None = "it is not connected yet"
        self._timeout_s, self._script = timeout_s, script
        self._throttle = SubjectThrottle(now)
        self._link: RedisLink | None = None
        self._head = b""
        self._tried = asyncio.Event()
        self._keeping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Returns after the first attempt to connect, whatever comes of it."""
        self._keeping = asyncio.create_task(self._keep())
        await self._tried.wait()

    async def aclose(self) -> None:
        """Ends the connection."""
        if self._keeping is not None:
            self._keeping.cancel()
            await asyncio.gather(self._keeping, return_exceptions=True)

    def ask(self, policy: QuotaPolicy, caller: bytes) -> asyncio.Future[RedisAnswer] | None:
        """Counts one request of the caller; `read` tells what the answer means. None: Redis is away."""
        link = self._link
        if link is None:
            return None
        key = b"%b%b%b" % (_KEY, policy.prefix, blake2b(caller, digest_size=16).hexdigest().encode())
        return link.ask(self._command(key, policy.numbers), self._timeout_s)

    def read(self, answer: RedisAnswer) -> Count | None:
        """None: nobody could count."""
        if isinstance(answer, bytes):
            numbers = [int(number) for number in answer.split()]
            return Count(numbers[0], list(zip(numbers[1::2], numbers[2::2], strict=True)))
        if answer is not None and self._link is not None:
            self._link.give_up(f"it refuses to count: {answer}")
        return None

    def _command(self, key: bytes, numbers: bytes) -> bytes:
        return b"%b$%d\r\n%b\r\n$%d\r\n%b\r\n" % (self._head, len(key), key, len(numbers), numbers)

    async def _keep(self) -> None:
        while True:
            link = await self._try()
            self._tried.set()
            if link is not None:
                self._use(link)
                try:
                    self._away(await link.lost)
                finally:
                    self._link = None
                    link.give_up("the gateway ends")
            await asyncio.sleep(RETRY_S)

    async def _try(self) -> RedisLink | None:
        try:
            async with asyncio.timeout(CONNECT_S):
                link = await self._connected()
        except (TimeoutError, OSError, UnicodeError, RedisRefused) as error:
            self._away(str(error) or "it does not answer in time")
            return None
        return link

    async def _connected(self) -> RedisLink:
        """A connection on which the script has counted, in time. Raises OSError, TimeoutError, RedisRefused."""
        link = await open_link(self.address)
        try:
            await self._greet(link)
        except BaseException:
            link.give_up("it was not usable")
            raise
        return link

    async def _greet(self, link: RedisLink) -> None:
        address = self.address
        if address.password:
            user = [address.user.encode()] if address.user else []
            await _admitted(link, encoded(b"AUTH", *user, address.password.encode()))
        if address.database:
            await _answered(link, encoded(b"SELECT", b"%d" % address.database))
        digest = await _answered(link, encoded(b"SCRIPT", b"LOAD", self._script))
        self._head = b"*5\r\n" + encoded(b"EVALSHA", digest, b"1").partition(b"\r\n")[2]
        await _answered(link, self._command(_KEY + b"trial", b"1 1 1"), self._timeout_s)

    def _use(self, link: RedisLink) -> None:
        self._link, self.problem = link, None
        log.info("rate limits are counted in Redis at %s", self.address)

    def _away(self, why: str) -> None:
        self._link, self.problem = None, why
        told = self._throttle.told("redis")
        if told is not None:
            log.warning("Redis at %s cannot count: %s (%d times more since the last line)", self.address, why, told[1])


async def _admitted(link: RedisLink, command: bytes) -> None:
    """Of the error no more than its first word: an old server repeats the password in it."""
    try:
        await _answered(link, command)
    except RedisRefused as error:
        raise RedisRefused(f"it refuses user or password ({str(error).partition(' ')[0]})") from None


async def _answered(link: RedisLink, command: bytes, timeout_s: float = CONNECT_S) -> bytes:
    answer = await link.ask(command, timeout_s)
    if isinstance(answer, RedisRefused):
        raise answer
    if answer is None:
        with contextlib.suppress(asyncio.InvalidStateError):
            raise ConnectionError(link.lost.result())
        raise TimeoutError
    return answer
