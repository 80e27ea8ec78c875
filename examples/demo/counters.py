"""Reads from the admin API what the gateway counted for one group."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import httpx

from examples.demo.system import DemoSystem

POLL_S = 0.1


class TooLittleTraffic(Exception):
    """The expected counters were not reached in time; the text has the counters."""


@dataclass(frozen=True, slots=True)
class GroupCounts:
    """Requests and comparisons of a group's routes. `least_compared`: of the read route with the fewest comparisons."""

    legacy: int = 0
    extracted: int = 0
    errors: int = 0
    failovers: int = 0
    compared: int = 0
    different: int = 0
    least_compared: int = 0

    def since(self, before: "GroupCounts") -> "GroupCounts":
        """The increase since `before`."""
        return GroupCounts(*(getattr(self, f.name) - getattr(before, f.name) for f in fields(self)))

    def __str__(self) -> str:
        differences = f"differences {self.different} (of {self.compared} compared)"
        return f"legacy {self.legacy}, extracted {self.extracted}, {differences}, errors {self.errors}"


class GroupCounters:
    """Reads the counters of `group` over one connection to the admin port."""

    def __init__(self, system: DemoSystem, group: str) -> None:
        self._http = httpx.AsyncClient(base_url=system.admin_url, trust_env=False, headers=system.credential)
        self._group = group

    async def read(self) -> GroupCounts:
        """The counters as they are. Raises httpx.HTTPError."""
        answer = await self._http.get("/routes")
        routes = [r for r in answer.raise_for_status().json()["routes"] if r["unit"] == self._group]
        return GroupCounts(
            legacy=sum(r["requests"]["legacy"] for r in routes),
            extracted=sum(r["requests"]["extracted"] for r in routes),
            errors=sum(r["errors"]["legacy"] + r["errors"]["extracted"] for r in routes),
            failovers=sum(r["failovers"] for r in routes),
            compared=sum(r["shadow"]["compared"] for r in routes),
            different=sum(r["shadow"]["different"] for r in routes),
            least_compared=min((r["shadow"]["compared"] for r in routes if _is_read(r)), default=0),
        )

    async def until(self, enough: Callable[[GroupCounts], bool], before: GroupCounts, within_s: float) -> GroupCounts:
        """The increase since `before`, as soon as it is enough. Raises TooLittleTraffic."""
        deadline = asyncio.get_running_loop().time() + within_s
        while not enough(seen := (await self.read()).since(before)):
            if asyncio.get_running_loop().time() > deadline:
                raise TooLittleTraffic(f"not enough traffic in {within_s:g} s: {seen}")
            await asyncio.sleep(POLL_S)
        return seen

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._http.aclose()


def _is_read(route: Mapping[str, Any]) -> bool:
    """Whether it is a read route with requests: no client here uses routes that the monolith lacks."""
    return "GET" in (route["methods"] or ["GET"]) and sum(route["requests"].values()) > 0
