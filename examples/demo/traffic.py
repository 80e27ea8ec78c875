"""The clients that send requests while routes move: the admin, the seeded users, and new users."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from examples.demo.clients import DemoClient, Observations, RepeatedRead
from examples.demo.system import ADMIN, GROUP, DemoSystem
from strangler_gateway.config.file import load
from strangler_gateway.table.bucket import bucket

SEEDED = ("alice", "bob", "carol")
FIRST_SHARE = 10.0
AT_LEAST = 8
AT_ONCE = 4
MAX_SIGN_UPS = 100


class NoUserInShare(Exception):
    """None of a hundred new users is in the first share of the canary."""


@asynccontextmanager
async def client_traffic(system: DemoSystem, observed: Observations, pause_s: float) -> AsyncIterator[int]:
    """Lets clients read until the block ends; yields their number. At least one is in the first ten per cent."""
    async with AsyncExitStack() as stack:
        clients = await _clients(system, observed, stack)
        items = await clients[0].items()
        tasks = [
            asyncio.create_task(client.read_for_ever(_reads(index, items), pause_s))
            for index, client in enumerate(clients)
        ]
        try:
            yield len(clients)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _clients(system: DemoSystem, observed: Observations, stack: AsyncExitStack) -> list[DemoClient]:
    """Logs in the admin first, then the others, until a user is in the first share."""

    def opened() -> DemoClient:
        client = DemoClient(system.url, observed)
        stack.push_async_callback(client.aclose)
        return client

    clients = [opened() for _ in (ADMIN, *SEEDED)]
    seeded = (ADMIN, *((f"{name}@example.org", f"{name}-secret") for name in SEEDED))
    for client, (identity, secret) in zip(clients, seeded, strict=True):
        await client.log_in(identity, secret)
    salt = load((system.folder / "routes.yaml").read_text(), {}).movables[GROUP].salt
    while len(clients) < AT_LEAST or not any(
        bucket(salt, client.user.encode()) < FIRST_SHARE * 100 for client in clients[1:]
    ):
        if len(clients) > MAX_SIGN_UPS:
            raise NoUserInShare(f"none of {len(clients)} users is in the first {FIRST_SHARE:g} %")
        new = [opened() for _ in range(AT_ONCE)]
        await asyncio.gather(*(client.sign_up() for client in new))
        clients += new
    return clients


def _reads(index: int, items: list[str]) -> list[RepeatedRead]:
    """The admin reads the shop; the others read what they bought, and what they may not see: every route is asked."""
    own = items[index % len(items)]
    expected = {f"/item/bought/{own}": 200, "/user/@me": 200, "/item": 403, f"/item/{own}": 403}
    if index == 0:
        expected |= {"/item": 200, f"/item/{own}": 200}
    return [RepeatedRead(path, status) for path, status in expected.items()]
