"""The parent's answers to its workers' questions: rate limits without Redis, and the turns of `serialize: user`."""

import asyncio
import time
from collections.abc import Callable

from strangler_gateway.limits.memory import MemoryCounters
from strangler_gateway.table.rules.rate import Window
from strangler_gateway.turns.local import TurnKey, Turns
from strangler_gateway.workers.channel import Message

Answer = Callable[[object], None]


class Answers:
    """One per gateway; what a worker holds when it ends is free again."""

    def __init__(self) -> None:
        self.counters = MemoryCounters(time.monotonic)
        self._turns = Turns()
        self._held: dict[int, set[TurnKey]] = {}
        """By worker's process."""
        self._waiting: dict[int, set[asyncio.Task[None]]] = {}

    def limit(self, message: Message, answer: Answer) -> None:
        """Counts one request."""
        windows = [Window(*map(int, one)) for one in message["windows"]]
        count = self.counters.take(windows, str(message["key"]).encode("latin-1"))
        answer([count.wait_us, [list(one) for one in count.left]])

    def turn(self, worker: int, message: Message, answer: Answer) -> None:
        """Answers true once it is this worker's turn, false if it is not in time."""
        group, subject = message["key"]
        key, held = (str(group), str(subject)), self._held.setdefault(worker, set())
        if self._turns.take(key):
            held.add(key)
            answer(True)
            return
        task = asyncio.create_task(self._wait(key, held, float(message["wait_s"]), answer))
        tasks = self._waiting.setdefault(worker, set())
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    async def _wait(self, key: TurnKey, held: set[TurnKey], timeout_s: float, answer: Answer) -> None:
        came = await self._turns.wait(key, timeout_s)
        if came:
            held.add(key)
        answer(came)

    def release(self, worker: int, message: Message) -> None:
        """A write has ended."""
        group, subject = message["key"]
        self._free(worker, (str(group), str(subject)))

    def ended(self, worker: int) -> None:
        """Nobody there waits or writes any more."""
        for task in self._waiting.pop(worker, ()):
            task.cancel()
        for key in list(self._held.get(worker, ())):
            self._free(worker, key)
        self._held.pop(worker, None)

    def _free(self, worker: int, key: TurnKey) -> None:
        held = self._held.get(worker, set())
        if key in held:
            held.remove(key)
            self._turns.release(key)
