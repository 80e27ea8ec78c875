"""What runs beside the moves for as long as the gateway serves: looks of the gate, saving, following the store."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Sequence

from strangler_gateway.migration.follow import Follower
from strangler_gateway.migration.journal.standings import Standings
from strangler_gateway.migration.saved.saved_file import SavedFile

log = logging.getLogger(__name__)


class Upkeep:
    """`follower`: None for a gateway that is alone; `tick` and `look` are called before each save, every `every_s`.

    `tick` is told how many seconds have passed, by a clock that does not jump.
    """

    def __init__(
        self,
        standings: Standings,
        saved: Sequence[SavedFile],
        tick: Callable[[float], None],
        look: Callable[[], Awaitable[None]],
        follower: Follower | None,
        turn: asyncio.Lock,
        every_s: float,
    ) -> None:
        self._standings, self._saved, self._tick, self._look = standings, saved, tick, look
        self._follower, self._turn, self._every_s = follower, turn, every_s
        self._tasks: list[asyncio.Task[None]] = []

    async def restore(self) -> list[str]:
        """Reads the saved files; what could not be used, as sentences."""
        return [problem for file in self._saved if (problem := await asyncio.to_thread(file.restore))]

    def begin(self) -> None:
        """Begins the tasks."""
        self._tasks.append(asyncio.create_task(self._save_for_ever()))
        if self._follower is not None:
            self._tasks.append(asyncio.create_task(self._follower.run()))

    async def end(self) -> bool:
        """Ends the tasks; whether there were any."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        return bool(tasks)

    async def save(self) -> None:
        """Writes what the journal is owed, and the saved files, as soon as this process may write the directory."""
        async with self._turn:
            if await self._standings.write():
                return
        for file in self._saved:
            try:
                await asyncio.to_thread(file.write, file.snapshot())
            except OSError as exc:
                log.warning("%s is not written: %s", file.path.name, exc)

    def write_down(self, written: Callable[[], None]) -> str | None:
        """Writes the saved files and releases the directory, without a pause; `written` is called in that moment."""
        try:
            for file in self._saved:
                file.write(file.snapshot())
        except OSError as exc:
            return f"the counters cannot be written: {exc}"
        written()
        self._standings.journal.close()
        return None

    async def _save_for_ever(self) -> None:
        clock = asyncio.get_running_loop().time
        ticked = clock()
        while True:
            await asyncio.sleep(self._every_s)
            now = clock()
            self._tick(now - ticked)
            ticked = now
            await self._look()
            await self.save()
