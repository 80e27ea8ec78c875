"""The use case of counting. An attempt counts as failed before its password is verified; a success is given back.

So many attempts at once cannot all be verified before the first of them counts. Giving back waits for nobody: until
then the user has one try less, never one more.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import datetime

import structlog

from extracted.account.attempts.domain import AttemptLevel, AttemptRules, AttemptScope, drained, keys
from extracted.account.attempts.ports import AttemptStore, Keys, Levels

log = structlog.get_logger("account.attempts")


@dataclass(frozen=True, slots=True)
class CountedAttempt:
    """Of whom, and under which keys it was counted. `refused`: the scope because of which it must be refused."""

    user_id: str | None
    address: str | None
    keys: Keys
    refused: AttemptScope | None = None


@dataclass(frozen=True, slots=True)
class LoginAttempts:
    """One per process. `refusals`: how many attempts were refused, by scope."""

    store: AttemptStore
    rules: AttemptRules
    clock: Callable[[], datetime]
    refusals: Counter[AttemptScope] = field(default_factory=Counter)
    _settling: dict[str | None, asyncio.Task[None]] = field(default_factory=dict)
    """By user: what is being given back."""

    async def begin(self, user_id: str | None, address: str | None) -> CountedAttempt:
        """Counts an attempt, unless it must be refused. None: the identity, or the address, is not known."""
        asked = {scope: key for scope, key in keys(user_id, address).items() if self.rules.failures[scope]}
        if not asked:
            return CountedAttempt(user_id, address, {})
        if user_id in self._settling:
            await asyncio.wait({self._settling[user_id]})
        counting = _AttemptDecision(self.rules, self.clock())
        await self.store.change(asked, counting.decide)
        if counting.refused is not None:
            self.refusals[counting.refused] += 1
            return CountedAttempt(user_id, address, {}, counting.refused)
        for scope in counting.slowed:
            log.warning("log_ins_slowed", scope=scope, user_id=user_id, address=address)
        return CountedAttempt(user_id, address, {scope: asked[scope] for scope in counting.counted})

    def succeeded(self, attempt: CountedAttempt) -> None:
        """Gives the attempt back; then the user is known at the address. The user's next attempt waits for it."""
        asked = keys(attempt.user_id, attempt.address)
        pair = {AttemptScope.PAIR: asked[AttemptScope.PAIR]} if AttemptScope.PAIR in asked else {}
        if attempt.keys or pair:
            self._settle(attempt.user_id, self.store.change({**attempt.keys, **pair}, self._rewarded))

    async def give_back(self, attempt: CountedAttempt) -> None:
        """As if it had not been: whether the password is right could not be established."""
        if attempt.keys:
            await self.store.change(attempt.keys, self._without_one)

    async def settled(self) -> None:
        """Returns when all is given back."""
        while self._settling:
            await asyncio.wait(self._settling.values())

    def _settle(self, user_id: str | None, change: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(self._in_turn(self._settling.get(user_id), change))
        self._settling[user_id] = task
        task.add_done_callback(lambda done: self._settling.get(user_id) is done and self._settling.pop(user_id))

    async def _in_turn(self, earlier: asyncio.Task[None] | None, change: Coroutine[None, None, None]) -> None:
        if earlier is not None:
            await asyncio.wait({earlier})
        try:
            await change
        except Exception as error:  # the user is logged in; one failure too many drains with time
            log.warning("log_in_not_given_back", reason=str(error))

    def _rewarded(self, levels: Levels) -> Levels:
        known = AttemptLevel(known_until=self.clock() + self.rules.known_for)
        return {**self._without_one(levels), **({AttemptScope.PAIR: known} if AttemptScope.PAIR in levels else {})}

    def _without_one(self, levels: Levels) -> Levels:
        now = self.clock()
        lowered = {}
        for scope, level in levels.items():
            free = self.rules.failures[scope]
            left = max(drained(level, free, self.rules, now) - 1, 0.0)
            lowered[scope] = replace(
                level, level=left, at=now, blocked_until=level.blocked_until if left > free else None
            )
        return lowered


@dataclass(slots=True)
class _AttemptDecision:
    """The decision about one attempt, made while its levels are locked."""

    rules: AttemptRules
    now: datetime
    refused: AttemptScope | None = None
    counted: tuple[AttemptScope, ...] = ()
    slowed: tuple[AttemptScope, ...] = ()

    def decide(self, levels: Levels) -> Levels:
        pair = levels.get(AttemptScope.PAIR)
        # An attacker elsewhere, or behind the same address, keeps nobody out who has logged in from here.
        is_known = pair is not None and pair.is_known(self.now)
        counted = {scope: level for scope, level in levels.items() if not is_known or scope is AttemptScope.PAIR}
        self.refused = next((scope for scope, level in counted.items() if level.is_blocked(self.now)), None)
        if self.refused is not None:
            return {}
        risen = {
            scope: level.risen(self.rules.failures[scope], self.rules, self.now) for scope, level in counted.items()
        }
        self.counted = tuple(risen)
        self.slowed = tuple(scope for scope, level in risen.items() if level.blocked_until is not None)
        return risen
