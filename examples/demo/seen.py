"""What the gateway has counted for one group, read from its admin API."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import httpx

from examples.demo.system import System

POLL_S = 0.1


class NotSeen(Exception):
    """What was waited for did not come about; the text says what was seen instead."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Requests and comparisons of a group's routes; `least_compared` is of that read among those asked for."""

    legacy: int = 0
    extracted: int = 0
    errors: int = 0
    failovers: int = 0
    compared: int = 0
    different: int = 0
    least_compared: int = 0

    def since(self, before: "Counts") -> "Counts":
        """What has been added."""
        return Counts(*(getattr(self, f.name) - getattr(before, f.name) for f in fields(self)))

    def __str__(self) -> str:
        differences = f"differences {self.different} (of {self.compared} compared)"
        return f"legacy {self.legacy}, extracted {self.extracted}, {differences}, errors {self.errors}"


class Counter:
    """Reads the counters of `group`; holds one connection to the admin port."""

    def __init__(self, system: System, group: str) -> None:
        self._http = httpx.AsyncClient(base_url=system.admin_url, trust_env=False, headers=system.credential)
        self._group = group

    async def read(self) -> Counts:
        """Since the gateway counts. Raises httpx.HTTPError."""
        answer = await self._http.get("/routes")
        routes = [r for r in answer.raise_for_status().json()["routes"] if r["unit"] == self._group]
        return Counts(
            legacy=sum(r["requests"]["legacy"] for r in routes),
            extracted=sum(r["requests"]["extracted"] for r in routes),
            errors=sum(r["errors"]["legacy"] + r["errors"]["extracted"] for r in routes),
            failovers=sum(r["failovers"] for r in routes),
            compared=sum(r["shadow"]["compared"] for r in routes),
            different=sum(r["shadow"]["different"] for r in routes),
            least_compared=min((r["shadow"]["compared"] for r in routes if _is_read(r)), default=0),
        )

    async def until(self, enough: Callable[[Counts], bool], before: Counts, within_s: float) -> Counts:
        """What has been added since `before`, as soon as it is enough. Raises NotSeen."""
        deadline = asyncio.get_running_loop().time() + within_s
        while not enough(seen := (await self.read()).since(before)):
            if asyncio.get_running_loop().time() > deadline:
                raise NotSeen(f"not enough traffic in {within_s:g} s: {seen}")
            await asyncio.sleep(POLL_S)
        return seen

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._http.aclose()


def _is_read(route: Mapping[str, Any]) -> bool:
    """One that somebody has asked for: what the monolith never had is asked for by nobody here."""
    return "GET" in (route["methods"] or ["GET"]) and sum(route["requests"].values()) > 0
