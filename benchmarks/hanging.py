"""One upstream hangs with a thousand requests: what its neighbours notice. `python -m benchmarks.hanging` prints JSON.

`p99_ratio`: the p99 of another service's requests while they hang, against without; medians over the rounds. They
come at a steady pace, whatever becomes of them. Half of the thousand have a place at the service that hangs, the others
wait.
`rate_ratio`: the same of requests per second, under a load that uses all of the gateway's core.
"""

import asyncio
import json
import socket
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median

from benchmarks.common import designs
from benchmarks.common.designs import Stage
from benchmarks.common.load import Generator, Load
from benchmarks.common.migration import new_caller
from benchmarks.common.open_load import OpenLoad, Outcomes
from benchmarks.common.origins import origins
from benchmarks.common.processes import choose_cores, pinned, rss_mib, start, wait_until_accepts
from benchmarks.common.report import percentile
from parts.ports import free_port

HANGING, CONNECTIONS, PER_S = 1000, 32, 1000
_ROUTES = """version: 1
services:
  monolith: {{url: "http://127.0.0.1:{good}"}}
  hanging: {{url: "http://127.0.0.1:{hanging}", max_concurrency: 500, queue: {{max: 500, wait: 1m}}}}
routes:
  - {{id: hanging, match: {{path: /hanging}}, legacy: monolith, extracted: hanging, state: extracted}}
  - {{id: rest, match: {{path: "/{{rest...}}"}}, legacy: monolith}}
"""


@contextmanager
def hanging(port: int) -> Iterator[None]:
    """A thousand clients wait within the block."""
    with ExitStack() as closing:
        for _ in range(HANGING):
            client = closing.enter_context(socket.create_connection(("127.0.0.1", port), 10))
            client.sendall(b"GET /hanging HTTP/1.1\r\nHost: shop.example\r\n\r\n")
        yield


def measured(folder: Path, rounds: int, seconds: float) -> dict[str, object]:
    """Raises DidNotStart."""
    generator, cores = Generator(), choose_cores()
    others = cores.others if cores else None
    with ExitStack() as closing:
        closing.enter_context(pinned(others))
        upstream = closing.enter_context(origins(folder, others, ()))
        port = free_port()
        command = [sys.executable, "-m", "benchmarks.common.busy_origin", str(port), "0", "0"]
        wait_until_accepts(start(closing, "hanging", command, folder, others), port)
        text = _ROUTES.format(good=upstream.main_port, hanging=port)
        stage = Stage(closing, folder, cores, new_caller(), upstream.main_port, upstream.sink_port)
        gateway = designs.gateway(stage, routes_text=text)

        def at_pace() -> Outcomes:
            return asyncio.run(OpenLoad(gateway.port, "/item/1", 1.0).run(PER_S, seconds))

        def flat_out() -> Load:
            return generator.run(gateway.port, "/item/1", (), CONNECTIONS, seconds)

        flat_out()
        calm, full = [at_pace()], [flat_out()]
        calm_beside: list[Outcomes] = []
        full_beside: list[Load] = []
        for _ in range(rounds):
            with hanging(gateway.port):
                time.sleep(1.0)  # until all of them have been taken up
                calm_beside.append(at_pace())
                full_beside.append(flat_out())
            calm.append(at_pace())
            full.append(flat_out())
        return {
            "hanging": HANGING,
            "p99_ms": _p99(calm),
            "p99_ms_while_hanging": _p99(calm_beside),
            "p99_ratio": round(_p99(calm_beside) / _p99(calm), 3),
            "rate_ratio": round(_rate(full_beside) / _rate(full), 3),
            "errors": sum(len(one.refused_ms) + one.gave_up + one.other for one in (*calm, *calm_beside)),
            "rss_mib": rss_mib(gateway.child.pid),
        }


def _p99(rounds: list[Outcomes]) -> float:
    return round(median(percentile(one.answered_ms, 99) for one in rounds), 2)


def _rate(rounds: list[Load]) -> float:
    return median(one.requests_per_s for one in rounds)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bench-hanging-") as folder:
        print(json.dumps(measured(Path(folder), 7, 4.0)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
