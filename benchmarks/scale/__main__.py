"""What tables, counters, log and metrics cost as routes, services and gateways become many.

`python -m benchmarks.scale` prints one JSON object; docs/decisions/scale.md extrapolates from it. `--consul` measures
watches and the shared store on a Consul of its own as well.
"""

import argparse
import asyncio
import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from time import perf_counter, process_time
from typing import Any

import psutil

from chassis.service.metrics import rendered
from strangler_gateway.config.file import load
from strangler_gateway.migration.rules.shared_counts import _summed
from strangler_gateway.table.matcher import Matcher
from strangler_gateway.table.routes import RouteTable
from strangler_gateway.telemetry.metrics_page import request_metrics
from strangler_gateway.telemetry.migration_steps.counts import SLOTS, StepCounts
from strangler_gateway.telemetry.stats import Stats

Figures = Mapping[str, object]
TABLES = ((1, 50), (10, 50), (100, 500), (1000, 1000), (1000, 5000))
"""Services and routes."""
MEMBERS = (1, 10, 100)
ROUTES_OF_A_GROUP = 10
STATUSES = (200, 201, 204, 304, 400, 401, 404, 500)


def routes_file(services: int, routes: int) -> str:
    """Every route in a group of ten, at paths of three segments."""
    lines = ["version: 1", "services:", '  monolith: {url: "http://127.0.0.1:1"}']
    lines += [f'  s{n}: {{discover: "consul://s{n}"}}' for n in range(services)]
    lines += ["groups:"] + [f"  g{n}: {{state: legacy}}" for n in range(-(-routes // ROUTES_OF_A_GROUP))]
    lines.append("routes:")
    for n in range(routes):
        group, service = n // ROUTES_OF_A_GROUP, n % services
        match = f'{{methods: [GET], path: "/area{n % 97}/thing{n}/{{id}}"}}'
        lines.append(f"  - {{id: r{n}, group: g{group}, match: {match}, legacy: monolith, extracted: s{service}}}")
    lines.append('  - {id: rest, match: {path: "/{rest...}"}, legacy: monolith}')
    return "\n".join(lines) + "\n"


def table(services: int, routes: int) -> Figures:
    """Of one table, in this process: call it in a new one."""
    text = routes_file(services, routes)
    load(routes_file(1, 1), {})  # what is imported and made once
    before, began = psutil.Process().memory_info().rss, process_time()
    compiled = load(text, {})
    seconds = process_time() - began
    kib = (psutil.Process().memory_info().rss - before) >> 10
    return {
        "services": services,
        "routes": routes,
        "file_kib": len(text) >> 10,
        "load_s": round(seconds, 3),
        "rss_kib": kib,
        "flip_s": round(_flip_s(compiled), 3),
        "match_us": round(_match_us(compiled, routes), 2),
    }


def _flip_s(table: RouteTable) -> float:
    """What a move makes anew before it is served: the table, its digest, its matcher."""
    began = process_time()
    Matcher(table.with_movables({"g0": table.movables["g0"]}))
    return process_time() - began


def _match_us(compiled: RouteTable, routes: int) -> float:
    matcher = Matcher(compiled)
    paths = [f"/area{n % 97}/thing{n}/7".encode() for n in range(0, routes, max(1, routes // 100))]
    began, rounds = perf_counter(), 200
    for _ in range(rounds):
        for path in paths:
            found = matcher.match(b"GET", path)
    assert found is not None
    return (perf_counter() - began) / rounds / len(paths) * 1e6


def counted(routes: int) -> Stats:
    """Counters of routes on which all has happened."""
    stats = Stats()
    for n in range(routes):
        one = stats.route(f"r{n}")
        one.legacy = one.extracted = 123_456_789
        one.statuses_legacy = dict.fromkeys(STATUSES, 12_345_678)
        one.statuses_extracted = dict.fromkeys(STATUSES, 12_345_678)
        one.durations_legacy[:] = [12_345_678] * len(one.durations_legacy)
        one.durations_extracted[:] = [12_345_678] * len(one.durations_extracted)
    return stats


def _canary(routes: Sequence[str]) -> StepCounts:
    """A step in which both sides have had so many users that their bitmaps are as long as they get."""
    step = StepCounts(0.0, 1000)
    for route in routes:
        step.of(route).new = step.of(route).legacy = 123_456_789
    for side in (step.users_of_new(), step.users_of_legacy()):
        side.seen[:] = side.failed[:] = side.pairs[:] = bytes([1, 0] * (SLOTS // 2))
    return step


def counters(members: int) -> Figures:
    """What the gateway that is asked for a move of one group hears from the others, and how long it adds up."""
    names = [f"r{n}" for n in range(ROUTES_OF_A_GROUP)]
    stats = counted(ROUTES_OF_A_GROUP)
    stats.steps["g0"] = _canary(names)
    began = process_time()
    row = {"part": stats.part(names, ["g0"]), "baselines": {"g0": {}}, "examples": {name: [] for name in names}}
    text = json.dumps(row)
    made_s = process_time() - began
    began = process_time()
    _summed({f"gw{n}": json.loads(text) for n in range(members)}, [])
    return {
        "members": members,
        "routes": ROUTES_OF_A_GROUP,
        "row_bytes": len(text),
        "made_ms": round(made_s * 1000, 2),
        "added_ms": round((process_time() - began) * 1000, 2),
    }


def metrics(routes: int) -> Figures:
    """The page that Prometheus reads."""
    compiled, stats = load(routes_file(min(routes, 1000), routes), {}), counted(routes)
    began = process_time()
    page = rendered(*request_metrics(stats, compiled))
    return {
        "routes": routes,
        "series": sum(not line.startswith("#") for line in page.splitlines()),
        "kib": len(page) >> 10,
        "made_ms": round((process_time() - began) * 1000, 1),
    }


def _in_new_process(services: int, routes: int) -> Any:
    command = [sys.executable, "-m", "benchmarks.scale", "--table", str(services), str(routes)]
    return json.loads(subprocess.run(command, check=True, capture_output=True).stdout)  # our own command


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--table", nargs=2, type=int, metavar=("SERVICES", "ROUTES"), help="measure one table only")
    parser.add_argument("--consul", action="store_true", help="measure watches and the store, too (a minute)")
    options = parser.parse_args(arguments)
    if options.table:
        print(json.dumps(table(*options.table)))
        return
    found: dict[str, object] = {
        "tables": [_in_new_process(*size) for size in TABLES],
        "counters": [counters(members) for members in MEMBERS],
        "metrics": [metrics(routes) for routes in (50, 500, 5000)],
    }
    if options.consul:
        from benchmarks.scale.consul import measured

        found |= asyncio.run(measured())
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
