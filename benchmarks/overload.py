"""Load above capacity: how much of its capacity a service still delivers, and whether the gateway stays well.

`python -m benchmarks.overload [--seconds 60] [--times 2] [--only PART]` prints one JSON object.

An upstream with a capacity of its own gets twice as many requests as it can answer, from clients that leave after a
second. With places and a queue (`bulkhead`) against without (`unbounded`: the upstream queues by itself). Meanwhile the
admin port is asked for health and metrics.

The gateway itself is the bottleneck: `costly`, twice as many requests as it can serve, each of which is five calls, so
that a generator beside it can send that many; `gateway`, 2,000 connections that ask as fast as they can, against the
500 that use all of its core. Generator and upstream have the other core, and less time for each request of 2,000
connections, too; so `cpu_us` tells what a request costs the gateway alone (few connections, many), and `floor_cpu_us`
what it costs a proxy that does nothing: that much of the difference is the system's. `core_used`: the part of its core
that the gateway used, at its capacity and in the overload; where the second is less, the generator could not send more.
`goodput_ratio_for_the_core` is the goodput for the same processor time. Ratios are medians of slices of 10 s.
"""

import argparse
import asyncio
import json
import re
import sys
import tempfile
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import NamedTuple

from benchmarks.common import designs
from benchmarks.common.designs import Design, Stage
from benchmarks.common.load import Generator, Load
from benchmarks.common.migration import new_caller
from benchmarks.common.open_load import OpenLoad, Outcomes
from benchmarks.common.origins import origins
from benchmarks.common.processes import (
    choose_cores,
    cpu_seconds,
    pinned,
    rss_mib,
    start,
    wait_for_output,
    wait_until_accepts,
)
from benchmarks.common.report import percentile
from parts.ports import free_port

PLACES, WORK_MS = 8, 10
PATIENCE_S = 1.0
SATURATING = 500
"""Connections that ask as fast as they can: the gateway's core is busy all the time."""
COSTLY_CLIENTS = 64
_SLICE_S, _CAPACITY_S = 10.0, 4.0
PARTS = ("bulkhead", "unbounded", "costly", "gateway")
_CALLS = ", ".join(f'call{number}: {{path: "/item/1"}}' for number in range(5))
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_ADMIN = rb"\(admin http://[^:\s]+:(\d+)\)"
_ROUTES = """version: 1
services:
  monolith: {{url: "http://127.0.0.1:{idle}"}}
  bulkhead: {{url: "http://127.0.0.1:{first}", max_concurrency: {places}, queue: {{max: 400, wait: 500ms}}}}
  unbounded: {{url: "http://127.0.0.1:{second}", max_connections: 100000, breaker: off}}
routes:
  - {{id: bulkhead, match: {{path: /bulkhead}}, legacy: monolith, extracted: bulkhead, state: extracted}}
  - {{id: unbounded, match: {{path: /unbounded}}, legacy: monolith, extracted: unbounded, state: extracted}}
  - {{id: item, match: {{path: "/item/{{id}}"}}, legacy: monolith}}
  - id: costly
    match: {{methods: [GET], path: /costly}}
    legacy: monolith
    new: true
    state: extracted
    aggregate: {{calls: {{{calls}}}, answer: {{marks: "{{marks}}"}}}}
  - {{id: rest, match: {{path: "/{{rest...}}"}}, legacy: monolith}}
"""
Figures = Mapping[str, object]


class _Capacity(NamedTuple):
    """What closed clients get, and how much of its core the gateway used for it."""

    per_s: float
    core_used: float | None


@dataclass(slots=True)
class _Slices:
    """What was measured, one after the other: a capacity, an overload, a capacity, an overload, … a capacity."""

    capacities: list[_Capacity] = field(default_factory=list)
    answered_per_s: list[float] = field(default_factory=list)
    core_used: list[float | None] = field(default_factory=list)
    """In each overload."""
    rss_mib: list[float | None] = field(default_factory=list)

    def figures(self) -> Figures:
        """An overload is compared with the mean of the capacity before it and of that after it."""
        ratios, for_the_core = [], []
        for before, after, answered, used in zip(
            self.capacities, self.capacities[1:], self.answered_per_s, self.core_used, strict=False
        ):
            ratios.append(round(answered / mean((before.per_s, after.per_s)), 3))
            if before.core_used and after.core_used and used:
                for_the_core.append(ratios[-1] * mean((before.core_used, after.core_used)) / used)
        return {
            "capacity_per_s": [round(one.per_s, 1) for one in self.capacities],
            "goodput_ratio": round(median(ratios), 3),
            "goodput_ratios": ratios,
            "goodput_ratio_for_the_core": round(median(for_the_core), 3) if for_the_core else None,
            "core_used": {"capacity": [one.core_used for one in self.capacities], "overload": self.core_used},
            "rss_mib": self.rss_mib,
        }


async def service(gateway: Design, name: str, seconds: float, times: float) -> Figures:
    """One service, or the gateway itself, under so many times its capacity, in slices of some 10 s.

    The machine's speed changes within a minute: a slice is compared with the capacities before and after it, and the
    median counts. The admin port is asked all the time.
    """
    admin, outcomes = int(wait_for_output(gateway.child, _ADMIN)[1]), Outcomes()
    took_ms: list[float] = []
    asking = asyncio.create_task(_ask_admin(admin, took_ms))
    await _capacity(gateway, name, 2.0)  # warm
    count = max(2, round(seconds / _SLICE_S))
    slices = _Slices([await _capacity(gateway, name, _CAPACITY_S)], rss_mib=[rss_mib(gateway.child.pid)])
    took_ms.clear()
    for _ in range(count):
        outcomes.add(await _slice(gateway, name, times, seconds / count, slices))
    asking.cancel()
    return {
        **slices.figures(),
        **outcomes.figures(seconds),
        "admin_answers": len(took_ms),
        "admin_p99_ms": round(percentile(took_ms, 99), 1),
    }


async def _slice(gateway: Design, name: str, times: float, seconds: float, slices: _Slices) -> Outcomes:
    load, using = OpenLoad(gateway.port, f"/{name}", PATIENCE_S), CoreUsed(gateway.child.pid)
    outcomes = await load.run(times * slices.capacities[-1].per_s, seconds)
    slices.core_used.append(using.since_last(1 + load.lasts_s / seconds))
    slices.rss_mib.append(rss_mib(gateway.child.pid))
    load.close()
    slices.answered_per_s.append(len(outcomes.answered_ms) / seconds)
    slices.capacities.append(await _capacity(gateway, name, _CAPACITY_S))
    return outcomes


class CoreUsed:
    """The part of a core that a process uses; None where the system does not tell."""

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._busy_s, self._at = cpu_seconds(pid), perf_counter()

    def since_last(self, of_the_busy_part: float = 1.0) -> float | None:
        """Since it was asked last; of a part of that time, so many times as short, if it was idle afterwards."""
        before_s, began = self._busy_s, self._at
        self._busy_s, self._at = cpu_seconds(self._pid), perf_counter()
        if self._busy_s is None or before_s is None:
            return None
        return round((self._busy_s - before_s) / (self._at - began) * of_the_busy_part, 2)


async def _capacity(gateway: Design, name: str, seconds: float) -> _Capacity:
    """Of clients that ask again at once; three times as many as a service has places."""
    clients, done, using = COSTLY_CLIENTS if name == "costly" else 3 * PLACES, 0, CoreUsed(gateway.child.pid)

    async def ask() -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection("127.0.0.1", gateway.port)
        while perf_counter() < until:
            writer.write(f"GET /{name} HTTP/1.1\r\nHost: shop.example\r\n\r\n".encode())
            length = _LENGTH.search(await reader.readuntil(b"\r\n\r\n"))
            assert length is not None
            await reader.readexactly(int(length[1]))
            done += 1
        writer.close()

    until = perf_counter() + seconds
    await asyncio.gather(*(ask() for _ in range(clients)))
    return _Capacity(done / seconds, using.since_last())


async def _ask_admin(port: int, took_ms: list[float]) -> None:
    """Asks ten times a second until it is cancelled; writes down how long each answer took."""
    while True:
        for path in ("/health/ready", "/metrics"):
            begun = perf_counter()
            await asyncio.to_thread(_get, f"http://127.0.0.1:{port}{path}")
            took_ms.append((perf_counter() - begun) * 1000)
        await asyncio.sleep(0.1)


def _get(url: str) -> None:
    with urllib.request.urlopen(url, timeout=10) as answer:
        answer.read()


def gateway_itself(gateway: Design, floor: Design, seconds: float) -> Figures:
    """Requests per second of many connections against few, and memory before, in the middle and after."""
    few, few_us = _loaded(gateway, SATURATING, 5)
    before = rss_mib(gateway.child.pid)
    first, first_us = _loaded(gateway, 4 * SATURATING, seconds / 2)
    middle = rss_mib(gateway.child.pid)
    second, second_us = _loaded(gateway, 4 * SATURATING, seconds / 2)
    many, rates = (first, second), (first.requests_per_s, second.requests_per_s)
    return {
        "capacity_per_s": few.requests_per_s,
        "goodput_ratio": round(min(rates) / few.requests_per_s, 3),
        "cpu_us": [few_us, first_us, second_us],
        "floor_cpu_us": [_loaded(floor, number, 5)[1] for number in (SATURATING, 4 * SATURATING)],
        "errors": sum(load.errors for load in many),
        "p99_ms": max(load.p99_ms for load in many),
        "rss_mib": [before, middle, rss_mib(gateway.child.pid)],
    }


def _loaded(design: Design, connections: int, seconds: float) -> tuple[Load, float | None]:
    """The load, and the processor time of a request, in microseconds."""
    before = cpu_seconds(design.child.pid)
    load = Generator().run(design.port, "/item/1", (), connections, seconds)
    after = cpu_seconds(design.child.pid)
    if before is None or after is None:
        return load, None
    return load, round((after - before) / load.requests * 1e6, 1)


def measured(folder: Path, seconds: float, times: float, only: str | None) -> Figures:
    """Everything, or one part. Raises DidNotStart."""
    cores = choose_cores()
    others = cores.others if cores else None
    with ExitStack() as closing:
        closing.enter_context(pinned(others))
        upstream = closing.enter_context(origins(folder, others, ()))
        ports = [_busy(closing, folder, others, name) for name in ("first", "second")]
        text = _ROUTES.format(idle=upstream.main_port, first=ports[0], second=ports[1], places=PLACES, calls=_CALLS)
        stage = Stage(closing, folder, cores, new_caller(), upstream.main_port, upstream.sink_port)
        gateway = designs.gateway(stage, routes_text=text)
        wait_until_accepts(gateway.child, gateway.port)
        parts: dict[str, Callable[[], Figures]] = {
            "bulkhead": lambda: asyncio.run(service(gateway, "bulkhead", seconds, times)),
            "unbounded": lambda: asyncio.run(service(gateway, "unbounded", min(seconds, 20.0), times)),
            "costly": lambda: asyncio.run(service(gateway, "costly", seconds, times)),
            "gateway": lambda: gateway_itself(gateway, designs.floor(stage), seconds),
        }
        figures = {name: measure() for name, measure in parts.items() if only in (None, name)}
        return {"seconds": seconds, "times": times, **figures}


def _busy(closing: ExitStack, folder: Path, core: int | None, name: str) -> int:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.common.busy_origin", str(port), str(PLACES), str(WORK_MS)]
    wait_until_accepts(start(closing, f"{name}-busy", command, folder, core), port)
    return port


def main() -> int:
    parser = argparse.ArgumentParser(description="Load above capacity.")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each overload (default %(default)s)")
    parser.add_argument("--times", type=float, default=2.0, help="the capacity (default %(default)s)")
    parser.add_argument("--only", choices=PARTS, help="one part")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-overload-") as folder:
        print(json.dumps(measured(Path(folder), min(given.seconds, 60.0), given.times, given.only)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
