"""Load above capacity: how much of its capacity a service still delivers, and whether the gateway stays well.

`python -m benchmarks.overload [--seconds 60]` prints one JSON object.

`service`: an upstream with a capacity of its own gets twice as many requests as it can answer, from clients that leave
after a second. With places and a queue (`bulkhead`) against without (`unbounded`: the upstream queues by itself).
Meanwhile the admin port is asked for health and metrics. `gateway`: the gateway itself is the bottleneck: 2,000
connections that ask as fast as they can, against the 500 that use all of its core.
"""

import argparse
import asyncio
import json
import sys
import tempfile
import urllib.request
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from time import perf_counter

from benchmarks import designs
from benchmarks.designs import Design, Stage
from benchmarks.load import Generator
from benchmarks.migration import new_caller
from benchmarks.open_load import OpenLoad
from benchmarks.origins import origins
from benchmarks.processes import choose_cores, pinned, rss_mib, start, wait_for_output, wait_until_accepts
from benchmarks.report import percentile
from parts.process import free_port

PLACES, WORK_MS = 8, 10
PATIENCE_S = 1.0
SATURATING = 500
"""Connections that ask as fast as they can: the gateway's core is busy all the time."""
_ADMIN = rb"\(admin http://[^:\s]+:(\d+)\)"
_ROUTES = """version: 1
services:
  monolith: {{url: "http://127.0.0.1:{idle}"}}
  bulkhead: {{url: "http://127.0.0.1:{first}", max_concurrency: {places}, queue: {{max: 400, wait: 500ms}}}}
  unbounded: {{url: "http://127.0.0.1:{second}", max_connections: 100000, breaker: off}}
routes:
  - {{id: bulkhead, match: {{path: /bulkhead}}, legacy: monolith, extracted: bulkhead, state: extracted}}
  - {{id: unbounded, match: {{path: /unbounded}}, legacy: monolith, extracted: unbounded, state: extracted}}
  - {{id: rest, match: {{path: "/{{rest...}}"}}, legacy: monolith}}
"""
Figures = Mapping[str, object]


async def service(gateway: Design, name: str, seconds: float) -> Figures:
    """One service under twice its capacity, which is measured first."""
    target, admin = f"/{name}", int(wait_for_output(gateway.child, _ADMIN)[1])
    capacity_per_s = await _capacity(gateway.port, target)
    before_mib, asking = rss_mib(gateway.child.pid), asyncio.create_task(_ask_admin(admin))
    outcomes = await OpenLoad(gateway.port, target, PATIENCE_S).run(2 * capacity_per_s, seconds / 2)
    middle_mib = rss_mib(gateway.child.pid)
    more = await OpenLoad(gateway.port, target, PATIENCE_S).run(2 * capacity_per_s, seconds / 2)
    asking.cancel()
    answers_ms = await asking
    outcomes.answered_ms += more.answered_ms
    outcomes.refused_ms += more.refused_ms
    outcomes.gave_up, outcomes.other = outcomes.gave_up + more.gave_up, outcomes.other + more.other
    return {
        "capacity_per_s": round(capacity_per_s, 1),
        "goodput_ratio": round(len(outcomes.answered_ms) / seconds / capacity_per_s, 3),
        **outcomes.figures(seconds),
        "rss_mib": [before_mib, middle_mib, rss_mib(gateway.child.pid)],
        "admin_answers": len(answers_ms),
        "admin_p99_ms": round(percentile(answers_ms, 99), 1),
    }


async def _capacity(port: int, target: str, seconds: float = 3.0) -> float:
    """What three times as many clients get as it has places, each asking again at once."""
    done = 0

    async def ask() -> None:
        nonlocal done
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while perf_counter() < until:
            writer.write(f"GET {target} HTTP/1.1\r\nHost: shop.example\r\n\r\n".encode())
            await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(2)
            done += 1
        writer.close()

    until = perf_counter() + seconds
    await asyncio.gather(*(ask() for _ in range(3 * PLACES)))
    return done / seconds


async def _ask_admin(port: int) -> list[float]:
    """Asks ten times a second until it is cancelled; how long each answer took, in milliseconds."""
    took: list[float] = []
    try:
        while True:
            for path in ("/health/ready", "/metrics"):
                begun = perf_counter()
                await asyncio.to_thread(_get, f"http://127.0.0.1:{port}{path}")
                took.append((perf_counter() - begun) * 1000)
            await asyncio.sleep(0.1)
    except asyncio.CancelledError:
        return took


def _get(url: str) -> None:
    with urllib.request.urlopen(url, timeout=10) as answer:
        answer.read()


def gateway_itself(gateway: Design, seconds: float) -> Figures:
    """Requests per second of many connections against few, and memory before, in the middle and after."""
    generator = Generator()
    few = generator.run(gateway.port, "/item/1", (), SATURATING, 5)
    before = rss_mib(gateway.child.pid)
    many = [generator.run(gateway.port, "/item/1", (), 4 * SATURATING, seconds / 2)]
    middle = rss_mib(gateway.child.pid)
    many.append(generator.run(gateway.port, "/item/1", (), 4 * SATURATING, seconds / 2))
    rates = [load.requests_per_s for load in many]
    return {
        "capacity_per_s": few.requests_per_s,
        "goodput_ratio": round(min(rates) / few.requests_per_s, 3),
        "errors": sum(load.errors for load in many),
        "p99_ms": max(load.p99_ms for load in many),
        "rss_mib": [before, middle, rss_mib(gateway.child.pid)],
    }


def measured(folder: Path, seconds: float) -> Figures:
    """Everything. Raises DidNotStart."""
    cores = choose_cores()
    others = cores.others if cores else None
    with ExitStack() as closing:
        closing.enter_context(pinned(others))
        upstream = closing.enter_context(origins(folder, others, ()))
        ports = [_busy(closing, folder, others, name) for name in ("first", "second")]
        text = _ROUTES.format(idle=upstream.main_port, first=ports[0], second=ports[1], places=PLACES)
        stage = Stage(closing, folder, cores, new_caller(), upstream.main_port, upstream.sink_port)
        gateway = designs.gateway(stage, routes_text=text)
        wait_until_accepts(gateway.child, gateway.port)
        return {
            "seconds": seconds,
            "service": {
                "bulkhead": asyncio.run(service(gateway, "bulkhead", seconds)),
                "unbounded": asyncio.run(service(gateway, "unbounded", min(seconds, 20.0))),
            },
            "gateway": gateway_itself(gateway, min(seconds, 60.0)),
        }


def _busy(closing: ExitStack, folder: Path, core: int | None, name: str) -> int:
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.busy_origin", str(port), str(PLACES), str(WORK_MS)]
    wait_until_accepts(start(closing, f"{name}-busy", command, folder, core), port)
    return port


def main() -> int:
    parser = argparse.ArgumentParser(description="Load above capacity.")
    parser.add_argument("--seconds", type=float, default=60.0, help="of each overload (default %(default)s)")
    seconds = min(parser.parse_args().seconds, 60.0)
    with tempfile.TemporaryDirectory(prefix="bench-overload-") as folder:
        print(json.dumps(measured(Path(folder), seconds)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
