"""What every whole migration needs: the system, a crowd, and an exit code."""

import asyncio
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Coroutine
from itertools import cycle
from pathlib import Path

from examples.demo.__main__ import FAILURES, LOGS, started, until_signalled
from examples.demo.environment import Stores
from examples.demo.processes import Launcher, first
from examples.demo.system import DemoSystem, start
from examples.migration.crowd import Crowd
from examples.migration.mails import Mails
from examples.migration.world import Routes, World
from parts.place import PartFailed
from strangler_gateway.config.file import load

Play = Callable[[DemoSystem, Crowd], Coroutine[object, object, None]]


async def played(folder: Path, stores: Stores, text: str, share: float, play: Play) -> None:
    """Starts the system with this routes.yaml, and plays with users who are not there yet. Raises one of FAILURES."""
    async with Launcher(started, LOGS) as launcher:
        system = await start(launcher, folder, stores, routes=text, with_mail=True, with_runner=True)
        try:
            await first(played_on(system, text, share, play), launcher.watch())
        except FAILURES:
            await launcher.raise_ended()
            raise


async def played_on(system: DemoSystem, text: str, share: float, play: Play) -> None:
    """The same on a system that runs with this routes.yaml.

    `share`: of the canary that enough of the users have to be in, in per cent.
    """
    begun = time.monotonic()
    world = World(cycle((system.url, *system.more_urls)), Routes(load(text, {})), Mails(system.mails))
    crowd = Crowd(world, share)
    try:
        await play(system, crowd)
    finally:
        await crowd.aclose()
    print(f"Done in {time.monotonic() - begun:.0f} s: {world.observed.answers} answers to users, no failure.")


def exit_code(prefix: str, migrate: Callable[[Path], Awaitable[None]], within_s: float) -> int:
    """Of a migration in a folder of its own: 0 done, 1 failed, which is printed as a sentence, 130 interrupted."""
    LOGS.parent.mkdir(mode=0o700, exist_ok=True)
    LOGS.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix=prefix) as name:
            ended = asyncio.run(until_signalled(asyncio.wait_for(migrate(Path(name)), within_s)))
    except (*FAILURES, PartFailed) as error:
        print(f"\nFailed: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1
    return 0 if ended else 130
