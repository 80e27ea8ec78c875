"""Step: one write in flight per user and group, for data that the monolith changes by read-then-write."""

import asyncio
from collections import deque
from typing import TYPE_CHECKING

from strangler_gateway.exchange.exchange import Answer, Exchange, Outcome, Reply
from strangler_gateway.table.routes import MigrationState, Side
from strangler_gateway.upstream.retry import SAFE

if TYPE_CHECKING:
    from strangler_gateway.steps.pipeline import Gateway

_LEGACY = MigrationState.LEGACY
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


class Turns:
    """Who is writing, and who waits, in this process; several gateways will need a shared store behind these three."""

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


def serialize(gateway: "Gateway", x: Exchange) -> Outcome:
    """Takes the user's turn for a write of a group with `serialize: user`; nothing is serialised in state legacy."""
    unit = x.route.movable
    if unit.serialize is None or unit.state is _LEGACY or x.method in SAFE:
        return None
    if x.identity is None or x.identity.subject is None:
        return None
    key = (unit.name, x.identity.subject)
    if gateway.turns.take(key):
        x.on_done.append(lambda: gateway.turns.release(key))
        return None
    return _later(gateway, x, key)


async def _later(gateway: "Gateway", x: Exchange, key: Key) -> Answer:
    """Past the bound a write to the monolith goes on as it always did, counted; a service can ask to be asked again."""
    if await gateway.turns.wait(key, WAIT_S):
        x.on_done.append(lambda: gateway.turns.release(key))
        return None
    gateway.stats.route(x.route.id).unserialized += 1
    return None if x.decision is None or x.decision.side is Side.LEGACY else _BUSY
