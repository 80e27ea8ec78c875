"""How a gateway leaves its place to a new process, and stays in it if that one does not come so far."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Any

from strangler_gateway.control import Control
from strangler_gateway.handover.successor import LEAVE_S, Successor
from strangler_gateway.joined import Joined, Reporting
from strangler_gateway.migration.journal.directory_lock import StateDirInUse
from strangler_gateway.migration.migration import Migration
from strangler_gateway.server.shutdown import StopSignals
from strangler_gateway.serving import Serving
from strangler_gateway.settings import Settings
from strangler_gateway.shadow.examples import Examples
from strangler_gateway.telemetry.drained import add, drain
from strangler_gateway.telemetry.stats import Stats

log = logging.getLogger(__name__)


class Leaving:
    """Of one gateway. `says_so`: called when another process serves, before this one finishes what is under way."""

    def __init__(
        self,
        settings: Settings,
        serving: Serving,
        migration: Migration,
        stats: Stats,
        examples: Examples,
        joined: Joined | None,
        reporting: Reporting,
        says_so: Callable[[], None],
    ) -> None:
        self._settings, self._serving, self._migration = settings, serving, migration
        self._stats, self._examples = stats, examples
        self._joined, self._reporting, self._says_so = joined, reporting, says_so

    async def to(self, successor: Successor, control: Control, signals: StopSignals) -> bool:
        """Whether the other process serves. Until it does, this one can take up again."""
        log.info("another process takes over: it gets the state directory, then this one finishes what is under way")
        await control.end()
        self._reporting.end()
        guards = self._migration.guards.give()
        await self._serving.refresh()
        counted: list[dict[str, Any]] = []
        problem = await self._migration.hand_over(lambda: self._write_down(counted))
        if problem is not None:
            successor.refuse(problem)
            await successor.end()
        elif await successor.serves(guards):
            await self._finish(successor, signals)
            return True
        else:
            successor.close()
            await self._take_up_again(counted[0])
        await self._go_on(problem, guards, control)
        return False

    def _write_down(self, counted: list[dict[str, Any]]) -> None:
        """What was counted so far; it is the other process's from now on."""
        counted.append(self._stats.snapshot())
        drain(self._stats)
        if self._joined is not None:
            self._joined.counting.keep()

    async def _take_up_again(self, counted: dict[str, Any]) -> None:
        """The counters as they were, and what has come since."""
        since = drain(self._stats)
        if self._joined is not None:
            self._joined.counting.resume()
        self._stats.restore(counted)
        add(self._stats, since)
        while True:
            try:
                await self._migration.resume()
            except StateDirInUse as exc:
                log.error("the state directory is not free yet: %s", exc)
                await asyncio.sleep(1)
            else:
                return

    async def _go_on(self, problem: str | None, guards: Sequence[dict[str, object]], control: Control) -> None:
        log.error("the other process has not taken over (%s); this one goes on", problem or "its log says why")
        await self._reporting.begin(control.tasks)
        await control.begin()
        await self._migration.guards.take(guards)

    async def _finish(self, successor: Successor, signals: StopSignals) -> None:
        """Serves what is under way, as the successor says, and tells it what was counted."""
        self._says_so()
        following = asyncio.create_task(
            successor.follow(self._serving, self._migration.served, self._stats, self._examples)
        )
        seconds = max(self._settings.grace_s, LEAVE_S)
        await self._serving.leave(seconds, signals.wait(1), accepting=False)
        await self._serving.stop(self._settings.drain_s, signals.wait(1))
        following.cancel()
        await asyncio.gather(following, return_exceptions=True)
        successor.tell(self._stats, self._examples)
        await successor.end()
