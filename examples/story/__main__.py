"""`python -m examples.story`: the stand-in monolith is migrated by plans alone, with users at work.

Every group moves by itself as its evidence allows, is retired with a signed report, and then the monolith is ended.
The admin port has a page to watch it.
"""

import argparse
import sys
from pathlib import Path

from examples.demo.environment import embedded
from examples.demo.system import ROUTES, DemoSystem
from examples.migration.books import audit
from examples.migration.crowd import Crowd
from examples.migration.ending import end_monolith
from examples.migration.played import exit_code, played
from examples.migration.world import Routes
from examples.story.plans import SHARES, with_plans
from examples.story.retiring import retire
from examples.story.watching import Watcher
from strangler_gateway.config.file import load

WITHIN_S = 540.0
PROBED = "users"
"""Removing the last e-mail address fails on both sides (C1): a probe shows it."""
REPORTS = Path(".run/retired")


async def tell(folder: Path) -> None:
    """Everything, in a folder. Raises one of FAILURES."""
    table = load(ROUTES.read_text(), {})
    text = with_plans(table, Routes(table).groups)
    await played(folder, embedded(folder), text, SHARES[0], _tell)


async def _tell(system: DemoSystem, crowd: Crowd) -> None:
    world, groups = crowd.world, crowd.world.routes.groups
    print(f"\nThe page: {system.admin_url}/ui", flush=True)
    print(f"Its credential is in {system.operator_token}", flush=True)
    print("\nUsers sign up, confirm their addresses and log in, through the gateway.", flush=True)
    crowd.probed = (PROBED,)
    await crowd.gather()
    print(f"{len(crowd.users)} users are at work. Every group has a plan; nobody flips anything.\n", flush=True)
    async with crowd.at_work():
        await Watcher(system, world).until(groups, "extracted")
        print("\nAll groups are extracted. When none has asked the monolith for a while, its report proves it:")
        await retire(system, groups, REPORTS)
    print(f"\nThe reports are in {REPORTS}. The books:", flush=True)
    await audit(system, crowd)
    print(flush=True)
    await end_monolith(system, crowd)


def main() -> int:
    """The exit code: 0 when everything succeeded, 1 after a failure, printed as a sentence, 130 when interrupted."""
    argparse.ArgumentParser(prog="python -m examples.story", description=__doc__).parse_args()
    REPORTS.mkdir(parents=True, exist_ok=True)
    return exit_code("strangler-story-", tell, WITHIN_S)


if __name__ == "__main__":
    sys.exit(main())
