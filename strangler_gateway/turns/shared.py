"""Turns of several gateways, in Redis. The key is group and user alone: where the group stands does not matter.

Of each gateway one write of a user asks at a time (local.py orders the others), so a key has as many entries as
gateways ask. Each entry is a token of one write: its place in the line, 0 for who has the turn, and until when it
counts. Who has the turn renews it; who waits asks again, and keeps its place. Leaving removes the own token alone.
"""

import asyncio
import secrets
from collections.abc import Callable
from enum import Enum
from hashlib import blake2b
from typing import Final

from strangler_gateway.redis.address import RedisAddress
from strangler_gateway.redis.connection import UNKNOWN_RUN, RedisConnection
from strangler_gateway.redis.link import RedisAnswer, RedisRefused
from strangler_gateway.redis.script import RedisScript
from strangler_gateway.turns.local import TurnKey, Turns

TTL_S: Final = 12.0
"""A turn that nobody renews ends then: longer than anybody waits for it."""
RENEW_S: Final = 0.5
ANSWER_S: Final = 0.5
"""How long Redis may take for an answer."""
PLACE_S: Final = 1.0
"""How long a place in the line is kept for who does not ask again."""
SHORTEST_PAUSE_S: Final = 0.002
LONGEST_PAUSE_S: Final = 0.05
"""Who waits asks again after a quarter of the time that it has waited, within these."""
FRESH_S: Final = 2.0
"""A Redis that has started anew gives no turn so long: it knows none of those in flight until they are renewed."""
MAX_LATE: Final = 3
MAX_UNSAID: Final = 10_000

SCRIPT: Final = b"""
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local key, token, run, again = KEYS[1], ARGV[1], ARGV[2], ARGV[3] == '1'
local ttl, place_ms, fresh_ms = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])
local known, since = string.match(redis.call('GET', 'strangler:turns') or '', '^(%S+) (%d+)$')
if not known or (known ~= run and run ~= '?') then
  since = now
  redis.call('SET', 'strangler:turns', string.format('%s %.0f', run, now))
end
local is_fresh = now < since + fresh_ms
local mine, owner, first, last, till_last = nil, false, math.huge, 0, now
local entries = redis.call('HGETALL', key)
for i = 1, #entries, 2 do
  local place, till = string.match(entries[i + 1], '^(%d+) (%d+)$')
  place, till = tonumber(place), tonumber(till)
  if not till or till <= now then
    redis.call('HDEL', key, entries[i])
  else
    till_last = math.max(till_last, till)
    if entries[i] == token then
      mine = place
    elseif place == 0 then
      owner = true
    else
      first, last = math.min(first, place), math.max(last, place)
    end
  end
end
local answer = 'wait'
if mine == 0 then
  answer = 'yours'
elseif not owner and again then
  answer = is_fresh and 'yours' or 'anew'
elseif not owner and not is_fresh and (mine or last + 1) < first then
  answer = 'yours'
elseif again then
  return 'lost'
end
local till = now + ttl
if answer == 'wait' then
  till = now + place_ms
  redis.call('HSET', key, token, string.format('%.0f %.0f', mine or last + 1, till))
else
  redis.call('HSET', key, token, string.format('0 %.0f', till))
end
redis.call('PEXPIRE', key, string.format('%.0f', math.max(till, till_last) - now + 1))
return answer
"""


class NoTurn(Enum):
    """Why there is none. BUSY: others had it all the time. AWAY: Redis cannot tell."""

    BUSY = 1
    AWAY = 2


class SharedTurns:
    """Turns that several gateways give by one Redis. `lost`: called with the group of a turn that ended too early."""

    def __init__(self, address: RedisAddress, ttl_s: float = TTL_S) -> None:
        self.ttl_s = ttl_s
        self._times = [b"%d" % (one * 1000) for one in (ttl_s, PLACE_S, FRESH_S)]
        trial = (b"trial", UNKNOWN_RUN, b"0", b"1", b"1", b"1")
        self._redis = RedisConnection(address, ANSWER_S, RedisScript(SCRIPT, b"strangler:turn:", trial), "turns")
        self._redis.connected = self._resume
        self._is_needed = False
        self._local = Turns()
        self._held: dict[bytes, SharedTurn] = {}
        self._unsaid: dict[bytes, bytes] = {}
        """Tokens that ended while Redis was away, and their keys."""

    @property
    def address(self) -> RedisAddress:
        """Where Redis is."""
        return self._redis.address

    @property
    def problem(self) -> str | None:
        """Why no turn can be given now, or None; also None while nobody needs one."""
        return self._redis.problem if self._is_needed else None

    def begin(self) -> None:
        """Connects by and by. Where no group is serialised, nobody asks Redis for anything."""
        self._is_needed = True
        self._redis.begin()

    async def aclose(self) -> None:
        """Ends the connection. Turns that are still held end by themselves."""
        for held in self._held.values():
            held.forget()
        await self._redis.aclose()

    async def take(self, key: TurnKey, timeout_s: float, lost: Callable[[], None]) -> "SharedTurn | NoTurn":
        """Waits for the turn at most that long. `lost` is called once if it ends before it is released."""
        end = asyncio.get_running_loop().time() + timeout_s
        await self._redis.start()
        if self._redis.problem is not None:
            return NoTurn.AWAY
        if not self._local.take(key) and not await self._local.wait(key, timeout_s):
            return NoTurn.BUSY
        turn = SharedTurn(self, key, lost)
        try:
            refusal = await self._queue(turn, end)
        except BaseException:
            turn.release()
            raise
        if refusal is None:
            return turn
        turn.release()
        return refusal

    async def _queue(self, turn: "SharedTurn", end: float) -> NoTurn | None:
        loop, late = asyncio.get_running_loop(), 0
        began = loop.time()
        while True:
            asking = self.ask(turn, again=False)
            if asking is None:
                return NoTurn.AWAY
            answer = await asking
            if answer == b"yours":
                self._held[turn.token] = turn
                turn.keep(loop)
                return None
            late = 0 if isinstance(answer, bytes) else late + 1
            if isinstance(answer, RedisRefused) or late >= MAX_LATE:
                self._redis.give_up(str(answer) if isinstance(answer, RedisRefused) else "it gives no turn in time")
                return NoTurn.AWAY
            now = loop.time()
            if now >= end:
                return NoTurn.BUSY if not late else NoTurn.AWAY
            await asyncio.sleep(min(max((now - began) / 4, SHORTEST_PAUSE_S), LONGEST_PAUSE_S))

    def ask(self, turn: "SharedTurn", *, again: bool) -> "asyncio.Future[RedisAnswer] | None":
        """Asks for the turn, or renews it (`again`). None: Redis is away."""
        return self._redis.call(turn.name, turn.token, self._redis.run, b"1" if again else b"0", *self._times)

    def released(self, turn: "SharedTurn") -> None:
        """The next one's, here or elsewhere."""
        self._held.pop(turn.token, None)
        self._leave(turn.name, turn.token)
        self._local.release(turn.key)

    def _leave(self, name: bytes, token: bytes) -> None:
        saying = self._redis.say(b"HDEL", name, token)
        if saying is None:
            self._leave_later(name, token)
        else:
            saying.add_done_callback(lambda said: self._leave_later(name, token) if said.result() is None else None)

    def _leave_later(self, name: bytes, token: bytes) -> None:
        if len(self._unsaid) < MAX_UNSAID:
            self._unsaid[token] = name

    def _resume(self) -> None:
        """After an outage: Redis may have forgotten what is held, and does not know what has ended."""
        self._redis.call(b"trial", b"trial", self._redis.run, b"0", b"1", b"1", b"1")
        for turn in list(self._held.values()):
            turn.renew()
        unsaid, self._unsaid = self._unsaid, {}
        for token, name in unsaid.items():
            self._leave(name, token)


class SharedTurn:
    """One write's turn, or its place in the line. Renewed while it is held."""

    def __init__(self, turns: SharedTurns, key: TurnKey, lost: Callable[[], None]) -> None:
        self._turns, self._lost = turns, lost
        self.key = key
        self.name = blake2b("\0".join(key).encode("utf-8", "surrogatepass"), digest_size=16).hexdigest().encode()
        self.token = secrets.token_hex(8).encode()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._sure_until = 0.0

    def keep(self, loop: asyncio.AbstractEventLoop) -> None:
        """It has been given."""
        self._loop = loop
        self._confirm(loop)

    def renew(self) -> None:
        """Asks for more time."""
        asking = self._turns.ask(self, again=True)
        if asking is not None:
            asking.add_done_callback(self._renewed)
        elif self._loop is not None:
            self._go_on(self._loop)

    def release(self) -> None:
        """It ends."""
        self.forget()
        self._turns.released(self)

    def forget(self) -> None:
        """It is not renewed any more."""
        self._loop = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _renewed(self, asking: "asyncio.Future[RedisAnswer]") -> None:
        loop = self._loop
        if loop is None:
            return
        answer = asking.result()
        if answer == b"lost":
            self._give_up()
        elif isinstance(answer, bytes):
            if answer == b"anew":
                self._lost()
            self._confirm(loop)
        else:
            self._go_on(loop)

    def _confirm(self, loop: asyncio.AbstractEventLoop) -> None:
        self._sure_until = loop.time() + self._turns.ttl_s
        self._go_on(loop)

    def _go_on(self, loop: asyncio.AbstractEventLoop) -> None:
        if loop.time() >= self._sure_until:
            self._give_up()
            return
        if self._timer is not None:
            self._timer.cancel()
        self._timer = loop.call_later(RENEW_S, self.renew)

    def _give_up(self) -> None:
        """Somebody else may have written meanwhile."""
        self.forget()
        self._lost()
