"""Step: one write in flight per user and group, for data that the monolith changes by read-then-write."""

from collections.abc import Awaitable
from functools import partial
from typing import Final, Protocol

from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.outcome import Answer, Outcome
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.table.routes import MigrationState, Side
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.turns.local import TurnKey, Turns
from strangler_gateway.turns.shared import NoTurn, SharedTurns
from strangler_gateway.upstream.resilience.retry import SAFE

_LEGACY: Final = MigrationState.LEGACY
WAIT_S = 10.0

_BUSY = Reply(
    503,
    "http_request_denied",
    "Another write of the same user is still under way.",
    ((b"Retry-After", b"1"),),
)
_AWAY = Reply(
    503,
    "http_request_denied",
    "Writes of one user cannot be ordered at the moment.",
    ((b"Retry-After", b"1"),),
)


class WriteTurns(Protocol):
    """Who is writing, and who waits."""

    def take(self, key: TurnKey, /) -> bool:
        """Takes the turn if it is free."""
        ...

    def wait(self, key: TurnKey, timeout_s: float, /) -> Awaitable[bool]:
        """Waits for the turn, in the order of arrival; false when there is no place to wait, or no turn in time."""
        ...

    def release(self, key: TurnKey, /) -> None:
        """The turn goes to who has waited longest."""
        ...


class Serialize:
    """Takes the user's turn for a write of a group with `serialize: user`.

    `turns`: those of this gateway. `shared`: those of all gateways, in place of them. `in_legacy`: also in state
    legacy, because another gateway may have moved the group a moment ago (control-plane.md §1).
    """

    def __init__(
        self,
        stats: Stats,
        turns: WriteTurns | None = None,
        shared: SharedTurns | None = None,
        in_legacy: bool = False,
    ) -> None:
        self._stats, self._shared, self._in_legacy = stats, shared, in_legacy
        self.turns: WriteTurns = turns or Turns()

    def run(self, exchange: Exchange) -> Outcome:
        """The turn ends with the exchange, also where the table has changed meanwhile."""
        movable, identity = exchange.route.movable, exchange.identity
        if movable.serialize is None or exchange.method in SAFE or (movable.state is _LEGACY and not self._in_legacy):
            return None
        if identity is None or identity.subject is None:
            return None
        key = (movable.name, identity.subject)
        if self._shared is not None:
            return self._share(exchange, key, self._shared)
        if not self.turns.take(key):
            return self._wait(exchange, key)
        exchange.on_done += (lambda: self.turns.release(key),)
        return None

    async def _wait(self, exchange: Exchange, key: TurnKey) -> Answer:
        if await self.turns.wait(key, WAIT_S):
            exchange.on_done += (lambda: self.turns.release(key),)
            return None
        return self._late(exchange)

    async def _share(self, exchange: Exchange, key: TurnKey, shared: SharedTurns) -> Answer:
        """While Redis is away nobody writes: other gateways may have a write in flight.

        In state legacy all writes go to the monolith, which orders none of them: there they go on.
        """
        turn = await shared.take(key, WAIT_S, partial(self._count, exchange.route.id))
        if turn is NoTurn.AWAY and exchange.route.movable.state is not _LEGACY:
            self._stats.route(exchange.route.id).serialize_unavailable += 1
            return _AWAY
        if isinstance(turn, NoTurn):
            return self._late(exchange)
        exchange.on_done += (turn.release,)
        return None

    def _late(self, exchange: Exchange) -> Answer:
        """Past the bound a write to the monolith goes on unserialised and is counted; one to a service gets 503."""
        self._count(exchange.route.id)
        return None if exchange.decision is None or exchange.decision.side is Side.LEGACY else _BUSY

    def _count(self, route_id: str) -> None:
        self._stats.route(route_id).unserialized += 1
