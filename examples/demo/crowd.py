"""Who is calling while the routes move: the admin, the seed's users, and new ones until every side has somebody."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from examples.demo.clients import Call, Client, Noticed
from examples.demo.system import ADMIN, GROUP, System
from strangler_gateway.config.file import load
from strangler_gateway.steps.decide import bucket

SEEDED = ("alice", "bob", "carol")
FIRST_SHARE = 10.0
AT_LEAST = 8
AT_ONCE = 4
MAX_SIGN_UPS = 100


class NobodyInShare(Exception):
    """A hundred sign-ups, and none of them within the first share: the buckets are not what they should be."""


@asynccontextmanager
async def calling(system: System, noticed: Noticed, pause_s: float) -> AsyncIterator[int]:
    """Clients that call until the block ends; gives how many. Somebody is within the first ten per cent."""
    async with AsyncExitStack() as stack:
        clients = await _gather(system, noticed, stack)
        items = await clients[0].items()
        tasks = [
            asyncio.create_task(client.call_for_ever(_calls(index, items), pause_s))
            for index, client in enumerate(clients)
        ]
        try:
            yield len(clients)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _gather(system: System, noticed: Noticed, stack: AsyncExitStack) -> list[Client]:
    """The admin first."""

    def opened() -> Client:
        client = Client(system.url, noticed)
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
            raise NobodyInShare(f"none of {len(clients)} users is within the first {FIRST_SHARE:g} %")
        new = [opened() for _ in range(AT_ONCE)]
        await asyncio.gather(*(client.sign_up() for client in new))
        clients += new
    return clients


def _calls(index: int, items: list[str]) -> list[Call]:
    """The admin reads the shop; the others what they have bought, and what they may not see."""
    own = items[index % len(items)]
    if index == 0:
        return [Call("/item", 200), Call(f"/item/{own}", 200), Call(f"/item/bought/{own}", 200), Call("/user/@me", 200)]
    return [Call(f"/item/bought/{own}", 200), Call("/item", 403), Call("/user/@me", 200)]
