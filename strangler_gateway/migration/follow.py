"""Follows the store of many gateways: takes over what they decide, and puts back what the store does not know."""

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Mapping

from strangler_gateway.cluster.store import StoreAway, StoredRecord
from strangler_gateway.migration.replica import Replica, of_groups
from strangler_gateway.table.position import Position

log = logging.getLogger(__name__)

RETRY_S = 1.0


class Follower:
    """`groups`: the movables that are followed, and where they stand. `taken` is told where they stood before.

    Whatever leads back is served without waiting for `turn`.
    """

    def __init__(
        self,
        replica: Replica,
        groups: Callable[[], Mapping[str, Position]],
        turn: asyncio.Lock,
        taken: Callable[[Mapping[str, Position]], Awaitable[None]],
    ) -> None:
        self._replica, self._groups, self._turn, self._taken = replica, groups, turn, taken
        self.problem: str | None = None
        """Why the store does not answer; None: it does."""

    async def run(self) -> None:
        """Runs until it is cancelled."""
        watching = asyncio.create_task(self._watch())
        try:
            while True:
                await asyncio.sleep(RETRY_S)
                if self._replica.open_groups(self._groups()) or self._replica.store.away_since is not None:
                    await self._settle()
                else:
                    await self._report()
        finally:
            watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await watching

    async def _watch(self) -> None:
        """A watch that fails begins again: nobody else would tell."""
        while True:
            try:
                async for snapshot in self._replica.store.watch():
                    await self._take(of_groups(snapshot, self._groups()))
            except StoreAway as exc:
                self._is_away(str(exc))
            except Exception:
                log.exception("the watch of the store has failed; it begins again")
            await asyncio.sleep(RETRY_S)

    async def _settle(self) -> None:
        """Something is not the same everywhere, or a call failed: the watch may wait long, and not know of it."""
        try:
            await self._take(of_groups(await self._replica.store.read_all(), self._groups()), owed=True)
        except StoreAway as exc:
            self._is_away(str(exc))
        except Exception:
            log.exception("what the store holds cannot be taken over; it is tried again")

    async def _report(self) -> None:
        """Something was settled by a move, after the store's last change."""
        with contextlib.suppress(StoreAway):
            await self._replica.report()

    async def _take(self, found: Mapping[str, StoredRecord], *, owed: bool = False) -> None:
        before = dict(self._groups())
        owed |= self._replica.fall_back({group: one.record for group, one in found.items()})
        async with self._turn:
            await (self._replica.settle(found) if owed else self._replica.take(found))
            await self._taken(before)
        self.problem = None

    def _is_away(self, problem: str) -> None:
        if self.problem is None:
            log.warning("%s: moves are off, `rollback` works on this gateway", problem)
        self.problem = problem
