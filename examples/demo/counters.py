"""Reads from the admin API what the gateway counted for one group."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any

import httpx

from examples.demo.clients import ANSWER_WITHIN_S, Observations
from examples.demo.system import DemoSystem

POLL_S = 0.1
PATIENCE_S = 30.0
"""Without one more request."""


class TooLittleTraffic(Exception):
    """What was waited for does not come, because there are no more requests; the text says what is missing."""


class TrafficFailed(Exception):
    """A client has failed, or shadow has found a difference; the text shows it."""


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

    def __init__(self, system: DemoSystem, group: str, observed: Observations) -> None:
        """`observed`: by the clients, who must not fail while something is waited for."""
        admin, fields = system.admin_url, system.credential
        self._http = httpx.AsyncClient(base_url=admin, trust_env=False, headers=fields, timeout=ANSWER_WITHIN_S)
        self._group, self._observed = group, observed
        self._counts: GroupCounts | None = None
        self._moved_at = 0.0
        """When these counters were first seen."""

    async def read(self) -> GroupCounts:
        """The counters as they are. Raises httpx.HTTPError."""
        routes = await self._routes()
        return GroupCounts(
            legacy=sum(r["requests"]["legacy"] for r in routes),
            extracted=sum(r["requests"]["extracted"] for r in routes),
            errors=sum(r["errors"]["legacy"] + r["errors"]["extracted"] for r in routes),
            failovers=sum(r["failovers"] for r in routes),
            compared=sum(r["shadow"]["compared"] for r in routes),
            different=sum(r["shadow"]["different"] for r in routes),
            least_compared=min((r["shadow"]["compared"] for r in routes if _is_read(r)), default=0),
        )

    async def until(self, enough: Callable[[GroupCounts], bool], before: GroupCounts) -> GroupCounts:
        """The increase since `before`, as soon as it is enough. Raises TooLittleTraffic, TrafficFailed."""
        while not enough(seen := (await self.read()).since(before)):
            await self._wait(str(seen))
        return seen

    async def until_gate_opens(self) -> str | None:
        """The gate's verdict as soon as it would let the next step pass; None where no gate is asked.

        Raises TooLittleTraffic, TrafficFailed.
        """
        while (seen := await self._get("/gate", unit=self._group))["refusals"]:
            await self._wait("; ".join(refusal["message"] for refusal in seen["refusals"]))
        return seen["gate"]["verdict"] if seen["gate"] else None

    async def _wait(self, missing: str) -> None:
        """A moment, as long as more requests come: a slow machine only takes longer."""
        now, counts = asyncio.get_running_loop().time(), await self.read()
        if counts.different:
            raise TrafficFailed(f"answers of {self._group} differ: {await self._differences()}")
        if self._observed.examples:
            raise TrafficFailed(f"while {self._group} was to move: {'; '.join(self._observed.examples)}")
        if counts != self._counts:
            self._counts, self._moved_at = counts, now
        if now - self._moved_at > PATIENCE_S:
            raise TooLittleTraffic(f"no requests of {self._group} for {PATIENCE_S:g} s: {missing}")
        await asyncio.sleep(POLL_S)

    async def _differences(self) -> str:
        routes = [route["id"] for route in await self._routes() if route["shadow"]["different"]]
        found = [(route, await self._get("/differences", route=route)) for route in routes]
        return "; ".join(
            f"{route}: {each['where']}: {each['legacy']} in legacy, {each['extracted']} in extracted"
            for route, seen in found
            for example in seen["differences"]
            for each in example["differences"]
        )

    async def _routes(self) -> list[Any]:
        return [route for route in (await self._get("/routes"))["routes"] if route["unit"] == self._group]

    async def _get(self, path: str, **query: str) -> Any:
        return (await self._http.get(path, params=query)).raise_for_status().json()

    async def aclose(self) -> None:
        """Closes the connection."""
        await self._http.aclose()


def _is_read(route: Mapping[str, Any]) -> bool:
    """Whether shadow compares it: a read route with a new end, and with requests at the monolith, which has it then."""
    is_read = "GET" in (route["methods"] or ["GET"])
    return is_read and route["extracted"] is not None and route["requests"]["legacy"] > 0
