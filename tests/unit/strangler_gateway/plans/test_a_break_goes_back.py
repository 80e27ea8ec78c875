"""A gateway process, two upstreams, requests ten times as fast as in trace T1: what breaks is back in seconds."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from strangler_gateway.table.bucket import bucket
from tests.http.gateway_process import GatewayProcess
from tests.support.gateway.traces import TRACES, SplitMix64
from tests.support.origins import Answer, Handler, Request, origin

ROUTES = """\
version: 1
services: {{monolith: {{url: "{legacy}"}}, shop: {{url: "{shop}"}}}}
groups:
  items: {{state: canary, share: 10, anonymous: "header:X-User", {gate}plan: {{steps: [canary 10%, extracted]}}}}
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
async def running(folder: Path, legacy: str, shop: str, workers: int, gate: str = "") -> AsyncIterator[GatewayProcess]:
    (folder / "routes.yaml").write_text(ROUTES.format(legacy=legacy, shop=shop, gate=gate))
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
        async with asyncio.timeout(60):
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
    assert seconds < 30
    seen = entry["evidence"]["extracted"]
    assert seen["failed"] >= 4
    assert users.failed["/item"] <= 15 * (seconds + 1)


T2, SEED = TRACES["T2"], 1
TICK_S, EVENT, EARLIEST, LATEST = 0.1, 150, 10, 80
"""Ten times the speed of the trace; ticks before the event, and from there to the rollback (1st to 99th per cent)."""
LOOK = 25
"""Ticks more: the driver looks once a second, and the machine may be busy."""
LANES = 20


def users(inside: bool) -> Iterator[str]:
    """Of the share, or of the others; each is another one."""
    numbers = (f"u{number}" for number in count())
    return (user for user in numbers if (bucket("items", user.encode()) < 1000) is inside)


class Failing:
    """A side that fails for a part of its requests, as seeded draws say."""

    def __init__(self, seed: int) -> None:
        self.part, self.failed, self._draws = T2.base, 0, SplitMix64(seed)

    def __call__(self, request: Request) -> Answer:
        bad = self._draws.draw() < self.part
        self.failed += bad
        return Answer(500 if bad else 200)


@pytest.mark.walk
async def test_trace_t2_at_ten_times_its_speed_goes_back_in_its_range(tmp_path: Path) -> None:
    """A hundred requests a second to the new side; from the event 5 % more of them fail."""
    [(_, _, broken, _)] = T2.events
    assert broken is not None
    legacy, shop, ten_times = Failing(SEED), Failing(SEED + 1), "gate: {breach: {per_second: 250}}, "
    async with _origins(legacy, shop) as (old, new), running(tmp_path, old, new, 1, ten_times) as gateway:
        lanes = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(LANES)]
        inside, outside, loop = users(True), users(False), asyncio.get_running_loop()
        due, tick = loop.time(), 0
        while not rollbacks(tmp_path):
            assert tick < EVENT + LATEST + LOOK
            if tick == EVENT:
                shop.part, shop.failed = broken, 0
            coming = [*islice(inside, T2.new), *islice(outside, T2.legacy)]
            await asyncio.gather(*(_all_asked(lane, coming[at::LANES]) for at, lane in enumerate(lanes)))
            tick, due = tick + 1, due + TICK_S
            await asyncio.sleep(max(due - loop.time(), 0))
        for _, writer in lanes:
            writer.close()
    print(f"T2 at ten times its speed: back {tick - EVENT} ticks after the event; {shop.failed} users met a failure")
    assert EARLIEST <= tick - EVENT <= LATEST + LOOK
    assert rollbacks(tmp_path)[0]["automatic"]


@contextlib.asynccontextmanager
async def _origins(legacy: Handler, shop: Handler) -> AsyncIterator[tuple[str, str]]:
    async with origin(legacy) as old, origin(shop) as new:
        yield old.url, new.url


async def _all_asked(lane: tuple[asyncio.StreamReader, asyncio.StreamWriter], users: list[str]) -> None:
    for user in users:
        await _asked(*lane, "/item", user)
