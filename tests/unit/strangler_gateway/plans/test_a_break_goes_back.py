"""A gateway process, two upstreams, requests ten times as fast as in trace T1: what breaks is back in seconds."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from strangler_gateway.table.bucket import bucket
from tests.http.gateway_process import GatewayProcess
from tests.support.origins import Answer, Request, origin

ROUTES = """\
version: 1
services: {{monolith: {{url: "{legacy}"}}, shop: {{url: "{shop}"}}}}
groups:
  items: {{state: canary, share: 10, anonymous: "header:X-User", plan: {{steps: [canary 10%, extracted]}}}}
  terms: {{state: canary, share: 10, anonymous: "header:X-User", plan: {{steps: [canary 10%, extracted]}}}}
routes:
  - {{id: item, group: items, match: {{path: "/item"}}, legacy: monolith, extracted: shop}}
  - {{id: term, group: terms, match: {{path: "/term"}}, legacy: monolith, extracted: shop}}
  - {{id: everything-else, match: {{path: "/{{rest...}}"}}, legacy: monolith}}
"""
QUIET_S, AFTER_S, PAUSE_S = 4.0, 2.0, 0.01


class Users:
    """Each request is another user's; a hundred a second and path."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.failed: dict[str, int] = {}
        """By path, users of the new side who met a failure."""

    async def come(self, path: str) -> None:
        """Until it is cancelled."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        number = 0
        with contextlib.closing(writer):
            while True:
                number += 1
                status = await _asked(reader, writer, path, f"u{number}")
                if status == 500 and bucket(path[1:] + "s", b"u%d" % number) < 1000:
                    self.failed[path] = self.failed.get(path, 0) + 1
                await asyncio.sleep(PAUSE_S)


async def _asked(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, path: str, user: str) -> int:
    writer.write(f"GET {path} HTTP/1.1\r\nHost: a\r\nX-User: {user}\r\n\r\n".encode())
    head = await reader.readuntil(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    await reader.readexactly(length)
    return int(head[9:12])


@contextlib.asynccontextmanager
async def running(folder: Path, legacy: str, shop: str, workers: int) -> AsyncIterator[GatewayProcess]:
    (folder / "routes.yaml").write_text(ROUTES.format(legacy=legacy, shop=shop))
    options = ("--workers", str(workers))
    gateway = await asyncio.to_thread(GatewayProcess, folder / "routes.yaml", folder / "state", {}, *options)
    try:
        yield gateway
    finally:
        await asyncio.to_thread(gateway.stop)


def rollbacks(folder: Path) -> list[dict[str, Any]]:
    lines = (folder / "state" / "journal.jsonl").read_text().splitlines()
    return [entry for entry in map(json.loads, lines) if entry["event"] == "rollback"]


@pytest.mark.walk
@pytest.mark.parametrize("workers", [1, 2])
async def test_a_group_that_breaks_goes_back_and_one_whose_sides_both_fail_stays(tmp_path: Path, workers: int) -> None:
    """Ten requests a second reach the new side: gates.md says one second, and the driver looks once a second."""
    broken, asked = asyncio.Event(), 0

    def legacy(request: Request) -> Answer:
        nonlocal asked
        asked += 1
        return Answer(500 if broken.is_set() and request.target == b"/term" and asked % 2 else 200)

    def shop(request: Request) -> Answer:
        return Answer(500) if broken.is_set() and request.target == b"/item" else legacy(request)

    loop = asyncio.get_running_loop()
    async with origin(legacy) as old, origin(shop) as new, running(tmp_path, old.url, new.url, workers) as gateway:
        users = Users(gateway.port)
        coming = [asyncio.create_task(users.come(path)) for path in ("/item", "/term")]
        await asyncio.sleep(QUIET_S)
        assert rollbacks(tmp_path) == []
        broken.set()
        began = loop.time()
        async with asyncio.timeout(20):
            while not rollbacks(tmp_path):
                await asyncio.sleep(0.02)
        seconds = loop.time() - began
        await asyncio.sleep(AFTER_S)
        for task in coming:
            task.cancel()
        ended = await asyncio.gather(*coming, return_exceptions=True)
        assert all(isinstance(one, asyncio.CancelledError) for one in ended), ended
    [entry] = rollbacks(tmp_path)
    print(f"rolled back {seconds:.1f} s after the break; {users.failed.get('/item')} users met it")
    assert (entry["unit"], entry["automatic"], entry["who"]) == ("items", True, "automatic, for plan")
    assert seconds < 4
    seen = entry["evidence"]["extracted"]
    assert seen["failed"] >= 4
    assert users.failed["/item"] <= 15 * (seconds + 1)
