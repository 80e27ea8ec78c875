"""One gateway, a group and a plan for each fault, and all of them under traffic at once."""

import asyncio
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

from tests.faults.driven.faults import Fault
from tests.faults.driven.traffic import Crowd
from tests.faults.driven.upstreams import Upstreams
from tests.http.gateway_process import GatewayProcess

OPERATOR = "operator-of-the-plans"
HEAD = """\
version: 1
services:
  monolith: {{url: "http://127.0.0.1:{monolith}"}}
  service: {{url: "http://127.0.0.1:{service}", breaker: off}}
groups:
"""
ROUTE = """\
  - id: {name}-{method}
    group: {name}
    match: {{methods: [{method}], path: "/{name}/{{id}}"}}
    legacy: monolith
    extracted: service
"""


def routes_text(faults: Sequence[Fault], monolith: int, service: int, plan: str) -> str:
    """The routes file. Each group has a route to read, and one to write if it needs it."""
    text = HEAD.format(monolith=monolith, service=service)
    for one in faults:
        text += f'  {one.name}: {{state: {one.start}, salt: s, anonymous: "header:X-User", {plan}}}\n'
    text += "routes:\n"
    for one in faults:
        text += ROUTE.format(name=one.name, method="GET") + "    shadow: {pure: true}\n"
        if one.writes:
            text += ROUTE.format(name=one.name, method="POST")
    return text + '  - {id: rest, match: {path: "/{rest...}"}, legacy: monolith}\n'


class Scene:
    """`plan`: the field of every group. The traffic flows within the block."""

    def __init__(self, folder: Path, faults: Sequence[Fault], plan: str, seed: int) -> None:
        self.faults, self._folder, self._plan, self._seed = {one.name: one for one in faults}, folder, plan, seed
        self.upstreams = Upstreams(self.faults, seed)

    async def __aenter__(self) -> "Scene":
        monolith, service = await self.upstreams.start()
        path = self._folder / "routes.yaml"
        path.write_text(routes_text([*self.faults.values()], monolith, service, self._plan))
        environ = {"STRANGLER_OPERATOR_TOKEN": OPERATOR, "STRANGLER_GRACE_S": "0"}
        self.gateway = await asyncio.to_thread(GatewayProcess, path, self._folder / "state", environ)
        self.admin = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.gateway.admin_port}", headers={"Authorization": f"Bearer {OPERATOR}"}
        )
        self.crowd = Crowd(self.gateway.port, [*self.faults.values()], self._seed)
        self.began = self.upstreams.began = time.monotonic()
        self._traffic = asyncio.create_task(self.crowd.run())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._traffic.cancel()
        await asyncio.gather(self._traffic, return_exceptions=True)
        await self.admin.aclose()
        await asyncio.to_thread(self.gateway.stop)
        await self.upstreams.stop()

    async def get(self, path: str) -> Any:
        """An answer of the admin API."""
        return (await self.admin.get(path)).raise_for_status().json()

    async def journal(self, group: str) -> list[dict[str, Any]]:
        """What happened to a group, the earliest first, without where it began."""
        entries = (await self.get(f"/log?limit=1000&unit={group}"))["entries"]
        return [one for one in entries if one["event"] != "adopted"]

    def since(self, moment: str) -> float:
        """From the first request to a time of the journal, in seconds."""
        return datetime.fromisoformat(moment).timestamp() - time.time() + time.monotonic() - self.began
