"""`python -m examples.migration`: the stand-in monolith is migrated to the end, with users at work; then it is ended.

On SQLite and a broker in tables; with --connected on PostgreSQL, a MongoDB-compatible server and RabbitMQ.
"""

import argparse
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

from examples.demo.environment import Stores, embedded
from examples.demo.system import ROUTES, DemoSystem, with_small_gate
from examples.migration.books import audit
from examples.migration.crowd import Crowd
from examples.migration.ending import end_monolith
from examples.migration.ladder import GATE, SHARES, climb_all
from examples.migration.played import exit_code, played
from examples.migration.recorded import replay
from examples.migration.world import Routes
from parts.fresh import mongo_database, postgres_database, rabbit_vhost
from strangler_gateway.config.file import load

WITHIN_S = 840.0
"""It needs a tenth of that on two idle cores."""
APART_S = 1.5
"""Between the first steps of two groups."""
BEHIND_A_PROXY = "version: 1\ntrusted_proxies: [127.0.0.1]\n"
"""So that each user has an address of its own, as behind a load balancer."""


def routes_text() -> str:
    """The shipped routes.yaml, with a small gate for every group that can move."""
    text = ROUTES.read_text()
    for group in Routes(load(text, {})).groups:
        text = with_small_gate(text, group, GATE)
    return text.replace("version: 1\n", BEHIND_A_PROXY, 1)


async def migrate(folder: Path, fresh: Callable[[Path], Stores]) -> None:
    """Everything, in a folder; `fresh` makes empty stores. Raises one of FAILURES."""
    await played(folder, fresh(folder), routes_text(), SHARES[0], partial(_migrate, fresh))


async def _migrate(fresh: Callable[[Path], Stores], system: DemoSystem, crowd: Crowd) -> None:
    world = crowd.world
    print("\nUsers sign up, confirm their addresses and log in, through the gateway.", flush=True)
    await crowd.gather()
    print(f"{len(crowd.users)} users and an administrator are at work. All groups to move are in legacy.\n", flush=True)
    async with crowd.at_work():
        await climb_all(system, world, world.routes.groups, APART_S)
    print("\nAll groups are extracted. The books:", flush=True)
    await audit(system, crowd)
    print("\nThe conversation that was recorded with the real monolith, on empty tables and with this routes.yaml:")
    folder = system.folder / "recorded"
    folder.mkdir()
    await replay(folder, fresh(folder), (system.folder / "routes.yaml").read_text())
    print(flush=True)
    await end_monolith(system, crowd)
    print("\nThe books once more:", flush=True)
    await audit(system, crowd)


def on_real_parts(_folder: Path) -> Stores:
    """Empty databases on the servers of `make parts`. Raises PartFailed."""
    database = postgres_database()
    return Stores(database, rabbit_vhost(), database, mongo_database())


def main() -> int:
    """The exit code: 0 when everything succeeded, 1 after a failure, printed as a sentence, 130 when interrupted."""
    parser = argparse.ArgumentParser(prog="python -m examples.migration", description=__doc__)
    parser.add_argument("--connected", action="store_true", help="on the real servers (run make parts first)")
    fresh = on_real_parts if parser.parse_args().connected else embedded
    return exit_code("strangler-migration-", lambda folder: migrate(folder, fresh), WITHIN_S)


if __name__ == "__main__":
    sys.exit(main())
