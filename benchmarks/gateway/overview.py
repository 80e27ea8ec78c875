"""Compares GET /me/overview with the calls of the web client that it replaces (flows §1, §6, §7).

The client is 20 ms away: it waits so long for each call, beside the answer itself. Its own calls are as parallel as
the web client makes them. What was bought is in the overview alone: the client has no call for it.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

import httpx

from benchmarks.gateway.reads import ReadSystem, on_sqlite, running

NETWORK_S = 0.02
"""There and back."""
TEAMS = 3
SESSIONS_A_ROUND = 6

Session = Callable[["DistantClient"], Awaitable[None]]


class DistantClient:
    """One user's client, with kept-alive connections."""

    def __init__(self, system: ReadSystem) -> None:
        fields = {"Authorization": f"Bearer {system.token}", "Content-Type": "application/json"}
        base = f"http://127.0.0.1:{system.gateway}"
        self.http = httpx.AsyncClient(base_url=base, headers=fields, trust_env=False, timeout=20)

    async def get(self, target: str) -> Any:
        """The JSON of the answer. Raises RuntimeError unless it is a 200."""
        await asyncio.sleep(NETWORK_S)
        answer = await self.http.get(target)
        if answer.status_code != 200:
            raise RuntimeError(f"GET {target} was answered with {answer.status_code}")
        return answer.json()


async def opens_overview(client: DistantClient) -> None:
    """One request. Raises RuntimeError where a part is missing."""
    if marks := (await client.get("/me/overview"))["metadata"]["marks"]:
        raise RuntimeError(f"GET /me/overview is not complete: {marks}")


async def makes_calls(client: DistantClient) -> None:
    """The user first, then what needs its id, then each of its teams."""
    user = (await client.get("/user/@me"))["data"]["id"]
    targets = (f"/user/{user}/email", f"/user/{user}/settings", "/user/@me/teams")
    *_, teams = await asyncio.gather(*map(client.get, targets))
    await asyncio.gather(*(client.get(f"/team/{team['id']}") for team in teams["data"]["teams"]))


def overview_vs_cascade(folder: Path, rounds: int) -> float:
    """The time of the overview by that of the calls; the median over all sessions. On SQLite."""
    here = folder / "overview"
    here.mkdir()
    with running(on_sqlite(here), here) as system:
        return asyncio.run(_ratio(system, rounds * SESSIONS_A_ROUND))


async def _ratio(system: ReadSystem, sessions: int) -> float:
    client = DistantClient(system)
    async with client.http:
        for number in range(TEAMS):
            (await client.http.post("/team", json={"name": f"team {number}"})).raise_for_status()
        for session in (opens_overview, makes_calls):
            await session(client)  # connections are open, and grants known, as in the middle of a day
        pairs = [(await _seconds(opens_overview, client), await _seconds(makes_calls, client)) for _ in range(sessions)]
    return round(median(one / other for one, other in pairs), 3)


async def _seconds(session: Session, client: DistantClient) -> float:
    begun = time.perf_counter()
    await session(client)
    return time.perf_counter() - begun
