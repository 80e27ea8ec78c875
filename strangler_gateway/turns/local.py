"""Turns within one process: one at a time for each user and group, in the order of arrival."""

import asyncio
from collections import deque
from typing import Final

MAX_WAITING: Final = 16
"""Writes of one user that may wait; a client that sends more has no order to lose."""

TurnKey = tuple[str, str]
"""(group, subject)."""


class Turns:
    """Who is writing, and who waits, in this process."""

    def __init__(self) -> None:
        self._waiting: dict[TurnKey, deque[asyncio.Future[None]]] = {}

    def take(self, key: TurnKey) -> bool:
        """Takes the turn if it is free."""
        if key in self._waiting:
            return False
        self._waiting[key] = deque()
        return True

    async def wait(self, key: TurnKey, timeout_s: float) -> bool:
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

    def _give_up(self, key: TurnKey, turn: asyncio.Future[None]) -> None:
        """A turn that came in the same moment is passed on."""
        if turn.done() and not turn.cancelled():
            self.release(key)
        elif turn in (queue := self._waiting.get(key, deque())):
            queue.remove(turn)

    def release(self, key: TurnKey) -> None:
        """The turn goes to who has waited longest."""
        queue = self._waiting[key]
        while queue:
            turn = queue.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        del self._waiting[key]
