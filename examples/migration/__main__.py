"""`python -m examples.migration`: the stand-in monolith is migrated to the end, with users at work; then it is ended.

On SQLite and a broker in tables; with --connected on PostgreSQL, a MongoDB-compatible server and RabbitMQ; with
--gateway on a system that runs elsewhere.
"""

import argparse
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

from examples.demo.environment import Stores, embedded
from examples.demo.system import ROUTES, DemoSystem, with_small_gate
from examples.migration import deployed
from examples.migration.books import audit
from examples.migration.crowd import Crowd
from examples.migration.ending import end_monolith
from examples.migration.ladder import GATE, SHARES, climb_all
from examples.migration.played import exit_code, played, played_on
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
Fresh = Callable[[Path], Stores]


def routes_text() -> str:
    """The shipped routes.yaml, with a small gate for every group that can move."""
    text = ROUTES.read_text()
    for group in Routes(load(text, {})).groups:
        text = with_small_gate(text, group, GATE)
    return text.replace("version: 1\n", BEHIND_A_PROXY, 1)


async def migrate(folder: Path, fresh: Fresh) -> None:
    """Everything, in a folder; `fresh` makes empty stores. Raises one of FAILURES."""
    await played(folder, fresh(folder), routes_text(), SHARES[0], partial(_migrate, fresh))


async def migrate_deployed(system: DemoSystem) -> None:
    """The same on a system that runs elsewhere. Raises one of FAILURES."""
    await played_on(system, routes_text(), SHARES[0], _migrate_deployed)


async def _migrate(fresh: Fresh, system: DemoSystem, crowd: Crowd) -> None:
    await _gather(crowd)
    await _move(system, crowd)
    print("\nThe conversation that was recorded with the real monolith, on empty tables and with this routes.yaml:")
    folder = system.folder / "recorded"
    folder.mkdir()
    await replay(folder, fresh(folder), (system.folder / "routes.yaml").read_text())
    await _end(system, crowd)


async def _migrate_deployed(system: DemoSystem, crowd: Crowd) -> None:
    await deployed.begin(system, crowd.world.routes)
    await _gather(crowd)
    crowd.world.earlier = await deployed.earlier(system, crowd)
    await _move(system, crowd)
    print("\nThe recorded conversation needs empty tables and is not played here.")
    await _end(system, crowd)


async def _gather(crowd: Crowd) -> None:
    print("\nUsers sign up, confirm their addresses and log in, through the gateway.", flush=True)
    await crowd.gather()
    print(f"{len(crowd.users)} users and an administrator are at work. All groups to move are in legacy.\n", flush=True)


async def _move(system: DemoSystem, crowd: Crowd) -> None:
    async with crowd.at_work():
        await climb_all(system, crowd.world, crowd.world.routes.groups, APART_S)
    print("\nAll groups are extracted. The books:", flush=True)
    await audit(system, crowd)


async def _end(system: DemoSystem, crowd: Crowd) -> None:
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
    parser.add_argument("--print-routes", action="store_true", help="print the routes.yaml for a deployed system")
    deployed.add_options(parser)
    given = parser.parse_args()
    if given.print_routes:
        print(routes_text(), end="")
        return 0
    return exit_code("strangler-migration-", _chosen(parser, given), WITHIN_S)


def _chosen(parser: argparse.ArgumentParser, given: argparse.Namespace) -> Callable[[Path], Awaitable[None]]:
    if given.gateway:
        system = deployed.system_of(parser, given)
        return lambda _: migrate_deployed(system)
    fresh = on_real_parts if given.connected else embedded
    return lambda folder: migrate(folder, fresh)


if __name__ == "__main__":
    sys.exit(main())
