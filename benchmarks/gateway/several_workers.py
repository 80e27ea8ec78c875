"""Two workers against one process, on all cores: `python -m benchmarks.gateway.several_workers` prints the ratio alone.

Generator and upstream run on the same cores. On two cores they take about as much as one gateway process, so the ratio
shows that a second worker uses what is left, not that it doubles anything: for that the load must come from elsewhere.
"""

import json
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from benchmarks.common import designs
from benchmarks.common.designs import Design, Stage
from benchmarks.common.load import Generator
from benchmarks.common.migration import TARGET, new_caller
from benchmarks.common.origins import origins
from benchmarks.common.report import ratio

CONNECTIONS = 64
NAME = "workers_ratio"


def workers_ratio(folder: Path, rounds: int, seconds: float) -> dict[str, float | None]:
    """Requests per second with two workers against those of one process; both run all the time and alternate."""
    generator, caller = Generator(), new_caller()
    with ExitStack() as closing:
        upstream = closing.enter_context(origins(folder, None, ()))
        stage = Stage(closing, folder, None, caller, upstream.main_port, upstream.sink_port)
        one = designs.gateway(stage, "one")
        two = designs.gateway(stage, "two", options=("--workers", "2"))
        rates: dict[str, list[float]] = {one.name: [], two.name: []}
        for _ in range(rounds):
            for design in (one, two):
                rates[design.name].append(_requests_per_s(generator, design, stage, seconds))
    return {NAME: ratio(rates["two"], rates["one"])}


def _requests_per_s(generator: Generator, design: Design, stage: Stage, seconds: float) -> float:
    load = generator.run(design.port, TARGET, stage.caller.fields, CONNECTIONS, seconds)
    if load.errors:
        raise RuntimeError(f"{design.name}: {load.errors} requests failed")
    return load.requests_per_s


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bench-workers-") as folder:
        print(json.dumps(workers_ratio(Path(folder), 5, 2.0)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
