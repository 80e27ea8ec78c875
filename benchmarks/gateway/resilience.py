"""What resilience costs: the gateway with everything written that a service can have, against none of it.

`python -m benchmarks.gateway.resilience` prints the ratios alone. With: two instances that are balanced, ejected and
checked for health, a breaker for errors, failures and slow calls, places, a queue, a retry budget. Without: one
instance, `breaker: off`. Both run at once, and take turns within a round.
"""

import json
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks.common import designs
from benchmarks.common.designs import Design, Stage
from benchmarks.common.load import Fields, Generator
from benchmarks.common.migration import TARGET, new_caller, routes_yaml
from benchmarks.common.origins import origins
from benchmarks.common.processes import choose_cores, pinned
from benchmarks.common.report import ratio

CONNECTIONS = 64
NAMES = ("resilience_ratio", "compiled_resilience_ratio")
_WITH = (
    "breaker: {errors: 50%, slow: 5s, failures: 20}, max_concurrency: 500, queue: {max: 500, wait: 2s}, "
    "retry: {budget: 20%, floor: 10}, health: /item, health_interval_s: 5"
)


def with_resilience(routes: str, port: int) -> str:
    """The benchmark's table with everything; the same upstream is there by two names."""
    own = f'origin: {{url: "http://127.0.0.1:{port}"}}'
    assert own in routes
    return routes.replace(own, f'origin: {{urls: ["http://127.0.0.1:{port}", "http://localhost:{port}"], {_WITH}}}')


def without_resilience(routes: str, port: int) -> str:
    """The benchmark's table with nothing of it."""
    own = f'origin: {{url: "http://127.0.0.1:{port}"'
    assert own in routes
    return routes.replace(own, f"{own}, breaker: off")


def resilience_ratios(folder: Path, rounds: int, seconds: float) -> dict[str, float | None]:
    """Requests per second with against without, pure and compiled; None where it is not installed."""
    generator, cores = Generator(), choose_cores()
    others = cores.others if cores else None
    with ExitStack() as closing:
        closing.enter_context(pinned(others))
        upstream = closing.enter_context(origins(folder, others, ()))
        port, caller = upstream.main_port, new_caller()
        routes = routes_yaml(port, upstream.sink_port)
        texts = with_resilience(routes, port), without_resilience(routes, port)

        def pair(start: Callable[[Stage, str], Design | None]) -> list[Design | None]:
            return [
                start(Stage(closing, _folder(folder, name), cores, caller, port, upstream.sink_port), text)
                for name, text in zip(("with", "without"), texts, strict=True)
            ]

        pure = pair(lambda stage, text: designs.gateway(stage, routes_text=text))
        compiled = pair(designs.compiled)
        found = [_ratio(generator, one, caller.fields, rounds, seconds) for one in (pure, compiled)]
        return dict(zip(NAMES, found, strict=True))


def _folder(folder: Path, name: str) -> Path:
    (folder / name).mkdir(exist_ok=True)
    return folder / name


def _ratio(
    generator: Generator, pair: list[Design | None], fields: Fields, rounds: int, seconds: float
) -> float | None:
    rates: list[list[float]] = [[], []]
    for number in range(rounds + 1):
        for design, into in zip(pair, rates, strict=True):
            if design is None:
                return None
            load = generator.run(design.port, TARGET, fields, CONNECTIONS, seconds)
            if load.errors:
                raise RuntimeError(f"{design.name}: {load.errors} requests failed")
            if number:  # the first round warms up
                into.append(load.requests_per_s)
    return ratio(*rates)


def main() -> int:
    with tempfile.TemporaryDirectory(prefix="bench-resilience-") as folder:
        print(json.dumps(resilience_ratios(Path(folder), 7, 2.0)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
