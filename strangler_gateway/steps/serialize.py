"""Step: one write in flight per user and group, for data that the monolith changes by read-then-write."""

import asyncio
from collections import deque
from collections.abc import Awaitable
from typing import Final, Protocol

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Answer, Outcome
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.table.routes import MigrationState, Side
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.upstream.retry import SAFE

_LEGACY: Final = MigrationState.LEGACY
WAIT_S = 10.0
MAX_WAITING = 16
"""Writes of one user that may wait; a client that sends more has no order to lose."""

Key = tuple[str, str]
"""(group, subject)."""

_BUSY = Reply(
    503,
    "http_request_denied",
    "Another write of the same user is still under way.",
    ((b"Retry-After", b"1"),),
)


class WriteTurns(Protocol):
    """Who is writing, and who waits."""

    def take(self, key: Key, /) -> bool:
        """Takes the turn if it is free."""
        ...

    def wait(self, key: Key, timeout_s: float, /) -> Awaitable[bool]:
        """Waits for the turn, in the order of arrival; false when there is no place to wait, or no turn in time."""
        ...

    def release(self, key: Key, /) -> None:
        """The turn goes to who has waited longest."""
        ...


class Turns:
    """The turns of one process; several gateways will need a shared store behind these three."""

    def __init__(self) -> None:
        self._waiting: dict[Key, deque[asyncio.Future[None]]] = {}

    def take(self, key: Key) -> bool:
        """Takes the turn if it is free."""
        if key in self._waiting:
            return False
        self._waiting[key] = deque()
        return True

    async def wait(self, key: Key, timeout_s: float) -> bool:
        """Waits for the turn, in the order of arrival; false when there is no place to wait, or no turn in time."""
        queue = self._waiting.get(key)
        if queue is None:
            return self.take(key)
        if len(queue) >= MAX_WAITING:
            return False
        turn = asyncio.get_running_loop().create_future()
        queue.append(turn)
        try:
            async with asyncio.timeout(timeout_s):
                await turn
        except BaseException as exc:
            self._give_up(key, turn)
            if isinstance(exc, TimeoutError):
                return False
            raise
        return True

    def _give_up(self, key: Key, turn: asyncio.Future[None]) -> None:
        """A turn that came in the same moment is passed on."""
        if turn.done() and not turn.cancelled():
            self.release(key)
        elif turn in (queue := self._waiting.get(key, deque())):
            queue.remove(turn)

    def release(self, key: Key) -> None:
        """The turn goes to who has waited longest."""
        queue = self._waiting[key]
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[key]


class Serialize:
    """Takes the user's turn for a write of a group with `serialize: user`; nothing is serialised in state legacy."""

    def __init__(self, stats: Stats, turns: WriteTurns | None = None) -> None:
        self._stats = stats
        self.turns: WriteTurns = turns or Turns()

    def run(self, exchange: Exchange) -> Outcome:
        """The turn ends with the exchange, also where the table has changed meanwhile."""
        movable, identity = exchange.route.movable, exchange.identity
        if movable.serialize is None or movable.state is _LEGACY or exchange.method in SAFE:
            return None
        if identity is None or identity.subject is None:
            return None
        key = (movable.name, identity.subject)
        if not self.turns.take(key):
            return self._wait(exchange, key)
        exchange.on_done += (lambda: self.turns.release(key),)
        return None

    async def _wait(self, exchange: Exchange, key: Key) -> Answer:
        """Past the bound a write to the monolith goes on unserialised and is counted; one to a service gets 503."""
        if await self.turns.wait(key, WAIT_S):
            exchange.on_done += (lambda: self.turns.release(key),)
            return None
        self._stats.route(exchange.route.id).unserialized += 1
        return None if exchange.decision is None or exchange.decision.side is Side.LEGACY else _BUSY
