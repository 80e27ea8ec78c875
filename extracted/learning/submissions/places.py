"""How many requests may have code run at the same time; the others wait, not longer than a request may take."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from time import monotonic

from extracted.learning.submissions.ports import RunnerBusy


class RunPlaces:
    """One per process. `deadline_s`: for the whole of a request, waiting included."""

    def __init__(self, at_once: int, deadline_s: float) -> None:
        self._free = asyncio.Semaphore(at_once)
        self._deadline_s = deadline_s

    @asynccontextmanager
    async def taken(self) -> AsyncIterator[Callable[[], float]]:
        """Yields how many seconds are left. Raises RunnerBusy if no place became free."""
        ends = monotonic() + self._deadline_s
        try:
            async with asyncio.timeout(self._deadline_s):
                await self._free.acquire()
        except TimeoutError:
            raise RunnerBusy from None
        try:
            yield lambda: ends - monotonic()
        finally:
            self._free.release()
