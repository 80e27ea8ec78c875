"""The audit at the end: points, purchases, mails, and the gateway's own counters."""

import asyncio
from collections.abc import Sequence
from typing import Any

import httpx

from examples.demo.clients import ANSWER_WITHIN_S, CallFailed
from examples.demo.story import StoryFailed, run_command
from examples.demo.system import POLYCODE, DemoSystem
from examples.migration.crowd import Crowd


async def audit(system: DemoSystem, crowd: Crowd) -> None:
    """Prints each finding. Raises StoryFailed at the first breach."""
    await _points(crowd)
    await _sales(crowd)
    await _polycode(system, "purchases audit")
    for service in ("account", "shop", "mailer"):
        await _polycode(system, f"dead-letters groups --service {service}")
    await _mails(crowd)
    await _counters(system, crowd)


async def _points(crowd: Crowd) -> None:
    try:
        await asyncio.gather(*(user.check_points() for user in crowd.users))
    except CallFailed as failed:
        raise StoryFailed(str(failed)) from failed
    earned = sum(len(user.solved) for user in crowd.users)
    print(f"  points: right for each of {len(crowd.users)} users, after {earned} rewards and {_sold(crowd)} purchases")


async def _sales(crowd: Crowd) -> None:
    added = await sales(crowd) - crowd.world.earlier.sales
    if added != _sold(crowd):
        raise StoryFailed(f"GET /transactions lists {added} purchases, users have made {_sold(crowd)}")
    print(f"  sales: {added} in GET /transactions, one for each purchase")


async def sales(crowd: Crowd) -> int:
    """How many purchases the administrator is shown."""
    listed = (await crowd.admin.call("GET", "/transactions?limit=1", 200)).json()
    return int(listed["metadata"]["pagination"]["total"])


async def _polycode(system: DemoSystem, command: str) -> None:
    code, output = await run_command(command, system, POLYCODE)
    if code:
        raise StoryFailed(f"`polycode {command}` ended with exit code {code}:\n{output}")
    print(f"  polycode {command}: {output.splitlines()[-1]}")


async def _mails(crowd: Crowd) -> None:
    mails = crowd.world.mails
    if problems := await mails.problems():
        raise StoryFailed(f"{len(problems)} mails are wrong: {'; '.join(problems[:5])}")
    print(f"  mails: {mails.expected.total()} expected, each arrived once")


async def _counters(system: DemoSystem, crowd: Crowd) -> None:
    """Of all routes."""
    known, earlier = crowd.world.routes.known_errors, crowd.world.earlier
    routes = await counted(system)
    requests = sum(sum(route["requests"].values()) for route in routes)
    wrong = {}
    for route in routes:
        name = route["id"]
        errors = sum(route["errors"].values()) - earlier.errors.get(name, 0)
        different = route["shadow"]["different"] - earlier.different.get(name, 0)
        if errors != known[name] or different:
            wrong[name] = f"{errors} errors, {different} differences"
    if wrong:
        raise StoryFailed(f"the gateway counted: {wrong}")
    compared = sum(route["shadow"]["compared"] for route in routes)
    print(f"  gateway: {requests} requests, no error of ours; {compared} answers compared, all equal")


async def counted(system: DemoSystem) -> Sequence[Any]:
    """Every route with its counters, of all gateways together."""
    async with httpx.AsyncClient(trust_env=False, headers=system.credential, timeout=ANSWER_WITHIN_S) as client:
        return list((await client.get(f"{system.admin_url}/routes")).raise_for_status().json()["routes"])


def _sold(crowd: Crowd) -> int:
    return sum(len(user.owned) for user in crowd.users)
