"""Reads from the admin API what the gateway counted for one group."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import httpx

from examples.demo.system import DemoSystem

POLL_S = 0.1
T = TypeVar("T")


class TooLittleTraffic(Exception):
    """What was waited for did not come in time; the text has the counters, or the gate's reasons."""


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

        async def since() -> GroupCounts:
            return (await self.read()).since(before)

        return await _until(since, enough, within_s, str)

    async def until_gate_opens(self, within_s: float) -> str | None:
        """The gate's verdict as soon as it would let the next step pass; None where no gate is asked.

        Raises TooLittleTraffic.
        """
        seen = await _until(self._gate, lambda seen: not seen["refusals"], within_s, _refusals)
        return seen["gate"]["verdict"] if seen["gate"] else None

    async def _gate(self) -> Any:
        answer = await self._http.get("/gate", params={"unit": self._group})
        return answer.raise_for_status().json()

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._http.aclose()


def _is_read(route: Mapping[str, Any]) -> bool:
    """Whether shadow compares it: a read route with a new end, and with requests at the monolith, which has it then."""
    is_read = "GET" in (route["methods"] or ["GET"])
    return is_read and route["extracted"] is not None and route["requests"]["legacy"] > 0


def _refusals(seen: Mapping[str, Any]) -> str:
    return "; ".join(refusal["message"] for refusal in seen["refusals"])


async def _until(
    read: Callable[[], Awaitable[T]], enough: Callable[[T], bool], within_s: float, said: Callable[[T], str]
) -> T:
    """Reads until it is enough. Raises TooLittleTraffic with what the last one said."""
    deadline = asyncio.get_running_loop().time() + within_s
    while not enough(seen := await read()):
        if asyncio.get_running_loop().time() > deadline:
            raise TooLittleTraffic(f"not enough traffic in {within_s:g} s: {said(seen)}")
        await asyncio.sleep(POLL_S)
    return seen
