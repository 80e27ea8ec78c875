"""`python -m examples.story`: the stand-in monolith is migrated by plans alone, with users at work.

Every group moves by itself as its evidence allows, is retired with a signed report, and then the monolith is ended.
The admin port has a page to watch it.
"""

import argparse
import asyncio
import sys
import tempfile
import time
from pathlib import Path

from examples.demo.__main__ import FAILURES, LOGS, started, until_signalled
from examples.demo.environment import embedded
from examples.demo.processes import Launcher, first
from examples.demo.system import ROUTES, DemoSystem, start
from examples.migration.books import audit
from examples.migration.crowd import Crowd
from examples.migration.ending import end_monolith
from examples.migration.mails import Mails
from examples.migration.work.account import changes_addresses
from examples.migration.world import Routes, World
from examples.story.plans import SHARES, with_plans
from examples.story.retiring import retire
from examples.story.watching import Watcher
from strangler_gateway.config.file import load

WITHIN_S = 540.0
REPORTS = Path(".run/retired")


async def tell(folder: Path) -> None:
    """Everything, in a folder. Raises one of FAILURES."""
    begun = time.monotonic()
    table = load(ROUTES.read_text(), {})
    text = with_plans(table, Routes(table).groups)
    async with Launcher(started, LOGS) as launcher:
        system = await start(launcher, folder, embedded(folder), routes=text, with_mail=True, with_runner=True)
        world = World(system.url, Routes(load(text, {})), Mails(system.mails))
        crowd = Crowd(world, SHARES[0])
        try:
            await first(_tell(system, crowd), launcher.watch())
        except FAILURES:
            await launcher.raise_ended()
            raise
        finally:
            await crowd.aclose()
    print(f"Done in {time.monotonic() - begun:.0f} s: {world.observed.answers} answers to users, no failure.")


async def _tell(system: DemoSystem, crowd: Crowd) -> None:
    world, groups = crowd.world, crowd.world.routes.groups
    print(f"\nThe page: {system.admin_url}/ui", flush=True)
    print(f"Its credential is in {system.operator_token}", flush=True)
    print("\nUsers sign up, confirm their addresses and log in, through the gateway.", flush=True)
    await crowd.gather()
    print(f"{len(crowd.users)} users are at work. Every group has a plan; nobody flips anything.\n", flush=True)
    crowd.without = (changes_addresses,)  # ends in a 500, as in the monolith: in extracted that looks like a break
    async with crowd.at_work():
        await Watcher(system, world).until(groups, "extracted")
        print("\nAll groups are extracted. When none has asked the monolith for a while, its report proves it:")
        await retire(system, groups, REPORTS)
    print(f"\nThe reports are in {REPORTS}. The books:", flush=True)
    await audit(system, crowd)
    print(flush=True)
    crowd.without = ()
    await end_monolith(system, crowd)


def main() -> int:
    """The exit code: 0 when everything succeeded, 1 after a failure, printed as a sentence, 130 when interrupted."""
    argparse.ArgumentParser(prog="python -m examples.story", description=__doc__).parse_args()
    LOGS.parent.mkdir(mode=0o700, exist_ok=True)
    LOGS.mkdir(exist_ok=True)
    REPORTS.mkdir(exist_ok=True)
    try:
        with tempfile.TemporaryDirectory(prefix="strangler-story-") as name:
            ended = asyncio.run(until_signalled(asyncio.wait_for(tell(Path(name)), WITHIN_S)))
    except FAILURES as error:
        print(f"\nFailed: {str(error) or type(error).__name__}", file=sys.stderr)
        return 1
    return 0 if ended else 130


if __name__ == "__main__":
    sys.exit(main())
