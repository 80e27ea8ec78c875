"""Moves one group through all states by `strangler`, as its gate allows."""

import asyncio
import shlex
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from examples.demo.counters import GroupCounters, GroupCounts
from examples.demo.story import StoryFailed, run_command
from examples.demo.system import DemoSystem
from examples.migration.world import World

SHARES = (25, 50)
"""Of the canary, in per cent."""
ROLLED_BACK = "points"
"""This group goes back to the monolith when it is halfway: nothing is harder to keep right than money."""
GATE = 6
"""`gate: {min: …}` of every group."""
READY_WITHIN_S = 60


@dataclass
class Ladder:
    """The steps of one group. `started`: of the whole migration."""

    system: DemoSystem
    world: World
    group: str
    started: float
    counters: GroupCounters = field(init=False)

    @asynccontextmanager
    async def _counted(self) -> AsyncIterator[None]:
        self.counters = GroupCounters(self.system, self.group, self.world.observed)
        try:
            yield
        finally:
            await self.counters.aclose()

    async def climb(self) -> None:
        """From legacy to extracted. Raises StoryFailed, TooLittleTraffic, TrafficFailed."""
        async with self._counted():
            if self.group == ROLLED_BACK:
                for step in self._steps()[:-1]:
                    await self._flip(*step)
                await self._go_back()
            for step in self._steps():
                await self._flip(*step)
        self.world.routes.whole.add(self.group)

    def _steps(self) -> list[tuple[str, ...]]:
        """Each as `flip` wants it. A group that shadow cannot compare begins with the canary."""
        comparable = any(route.shadow is not None for route in self.world.routes.of(self.group))
        canary = [("canary", "--share", str(share)) for share in SHARES]
        return [*([("shadow",)] if comparable else []), *canary, ("extracted",)]

    async def _flip(self, *step: str) -> None:
        before = await self.counters.read()
        await self._strangler("flip", self.group, "--to", *step, "--why", "the gate lets it pass")
        verdict = await self._until_open(step[0])
        seen = (await self.counters.read()).since(before)
        self._tell(" ".join(step).replace("--share ", "") + ("" if step[0] != "canary" else " %"), seen, verdict)

    async def _go_back(self) -> None:
        before = await self.counters.read()
        await self._strangler("rollback", self.group)
        seen = await self.counters.until(lambda seen: seen.legacy >= GATE, before)
        await self._strangler("release", self.group)
        self._tell("rolled back to legacy, then released", seen, None)

    async def _until_open(self, state: str) -> str | None:
        """Waits until the gate would let the next step pass; in shadow also until each called route was compared."""
        if state == "shadow":
            await self.counters.until(lambda seen: seen.least_compared > 0, GroupCounts())
        return await self.counters.until_gate_opens()

    async def _strangler(self, *words: str) -> None:
        """On a busy machine a service may not say in time that it is ready; then it is asked again."""
        until = time.monotonic() + READY_WITHIN_S
        code, output = await run_command(shlex.join(words), self.system)
        while code and "is not ready" in output and time.monotonic() < until:
            code, output = await run_command(shlex.join(words), self.system)
        if code:
            raise StoryFailed(f"`strangler {shlex.join(words)}` ended with exit code {code}:\n{output}")

    def _tell(self, what: str, seen: GroupCounts, verdict: str | None) -> None:
        if problems := self.world.problems():
            raise StoryFailed(f"while {self.group} moved: {problems}")
        gate = f"; gate: {verdict.upper()}" if verdict else ""
        print(f"{time.monotonic() - self.started:6.1f} s  {self.group:10} {what:37} {seen}{gate}", flush=True)


async def climb_all(system: DemoSystem, world: World, groups: Sequence[str], apart_s: float) -> None:
    """All groups, one after another begins; they are independent, so one is in canary while another is in shadow."""
    started = time.monotonic()

    async def one(number: int, group: str) -> None:
        await asyncio.sleep(number * apart_s)
        await Ladder(system, world, group, started).climb()

    try:
        async with asyncio.TaskGroup() as tasks:
            for number, group in enumerate(groups):
                tasks.create_task(one(number, group))
    except ExceptionGroup as failed:
        raise failed.exceptions[0] from failed
