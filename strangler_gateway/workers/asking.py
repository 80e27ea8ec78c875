"""What a worker asks its parent while a request waits: who may write now, and how often somebody has called.

One process has to decide both, or N workers would let N times as much pass.
"""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any, Final

from strangler_gateway.limits.counters import Count
from strangler_gateway.limits.memory import MemoryCounters
from strangler_gateway.table.rules.rate import Window
from strangler_gateway.turns.local import TurnKey
from strangler_gateway.workers.channel import Channel, Message

PATIENCE_S: Final = 1.0
"""How long the parent may take to say what it knows at once."""


class Questions:
    """Those that the parent has not answered yet, by number."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._open: dict[int, asyncio.Future[Any]] = {}
        self._last = 0

    async def ask(self, kind: str, timeout_s: float, **content: object) -> Any:
        """The answer. Raises TimeoutError."""
        self._last += 1
        number, answer = self._last, asyncio.get_running_loop().create_future()
        self._open[number] = answer
        self._channel.send(kind, id=number, **content)
        try:
            async with asyncio.timeout(timeout_s):
                return await answer
        finally:
            del self._open[number]

    def hear(self, message: Message) -> bool:
        """Passes an answer on; false where nobody waits for it any more."""
        answer = self._open.get(int(message["id"]))
        if answer is None or answer.done():
            return False
        answer.set_result(message["value"])
        return True


class ParentCounters:
    """Counts in the parent; by itself where that does not answer."""

    def __init__(self, questions: Questions, alone: MemoryCounters) -> None:
        self._questions, self._alone = questions, alone

    @property
    def forgotten(self) -> int:
        """Callers that this process had no room for."""
        return self._alone.forgotten

    def take(self, windows: Sequence[Window], key: bytes) -> Awaitable[Count | None]:
        """Counts one request of the caller `key`."""
        return self._take(windows, key)

    async def _take(self, windows: Sequence[Window], key: bytes) -> Count | None:
        try:
            wait_us, left = await self._questions.ask(
                "limit", PATIENCE_S, key=key.decode("latin-1"), windows=[list(window) for window in windows]
            )
        except TimeoutError:
            return self._alone.take(windows, key)
        return Count(wait_us, [(requests, more_us) for requests, more_us in left])


class ParentTurns:
    """The turns of `serialize: user`, taken in the parent."""

    def __init__(self, questions: Questions, channel: Channel) -> None:
        self._questions, self._channel = questions, channel

    def take(self, key: TurnKey) -> bool:
        """Never at once: the parent has to be asked."""
        return False

    async def wait(self, key: TurnKey, timeout_s: float) -> bool:
        """Whether the turn came in time."""
        try:
            return bool(await self._questions.ask("turn", timeout_s + PATIENCE_S, key=list(key), wait_s=timeout_s))
        except TimeoutError:
            return False

    def release(self, key: TurnKey) -> None:
        """The turn goes to who has waited longest, in whichever worker."""
        self._channel.send("release", key=list(key))
