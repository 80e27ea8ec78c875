"""Prints what the gateway does by itself, as its journal tells it, and how far it is, until everything has moved."""

import asyncio
import textwrap
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx

from examples.demo.story import StoryFailed
from examples.demo.system import DemoSystem
from examples.migration.world import World

WITHIN_S = 300.0
POLL_S = 0.5
MOST = 110
"""Characters of a reason."""
Entry = dict[str, Any]


@dataclass
class Watcher:
    """`begun`: monotonic seconds."""

    system: DemoSystem
    world: World
    begun: float = field(default_factory=time.monotonic)
    _shown: int = 0

    async def until(self, groups: Sequence[str], state: str) -> None:
        """Until all groups are in this state. Raises StoryFailed, httpx.HTTPError."""
        deadline = time.monotonic() + WITHIN_S
        async with httpx.AsyncClient(base_url=self.system.admin_url, headers=self.system.credential) as admin:
            while True:
                await self._tell(admin)
                states = await _states(admin, groups)
                self._take(states, state)
                if all(one == state for one in states.values()):
                    return
                if time.monotonic() > deadline:
                    raise StoryFailed(await _why_not(admin, [name for name, one in states.items() if one != state]))
                await asyncio.sleep(POLL_S)

    def _take(self, states: dict[str, str], state: str) -> None:
        """Users may count on the new routes of a group that the services alone serve."""
        self.world.routes.whole.update(name for name, one in states.items() if one == state)
        if problems := self.world.problems():
            raise StoryFailed(problems)

    async def _tell(self, admin: httpx.AsyncClient) -> None:
        entries = (await _got(admin, "/log?limit=1000"))["entries"]
        for entry in entries[self._shown :]:
            if entry["event"] != "adopted":
                self.say(entry["unit"], f"{_place(entry['before'])} → {_place(entry['after'])}", entry["why"])
        self._shown = len(entries)

    def say(self, group: str, what: str, why: str) -> None:
        """One line, with its time."""
        told = textwrap.shorten(why, MOST, placeholder=" …")
        print(f"{time.monotonic() - self.begun:6.1f} s  {group:10} {what:26} {told}", flush=True)


async def _states(admin: httpx.AsyncClient, groups: Sequence[str]) -> dict[str, str]:
    routes = (await _got(admin, "/routes"))["routes"]
    return {route["unit"]: route["state"] for route in routes if route["unit"] in groups}


async def _why_not(admin: httpx.AsyncClient, groups: Sequence[str]) -> str:
    plans = [await _got(admin, f"/plans/{group}") for group in groups]
    return f"after {WITHIN_S:g} s these plans still wait: " + "; ".join(str(plan)[:1000] for plan in plans)


async def _got(admin: httpx.AsyncClient, path: str) -> Entry:
    answer = (await admin.get(path)).raise_for_status()
    return dict(answer.json())


def _place(place: Entry | None) -> str:
    if place is None:
        return "-"
    return f"{place['state']} {place['share']:g} %" if place.get("share") is not None else str(place["state"])
