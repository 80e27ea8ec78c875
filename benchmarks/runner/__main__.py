"""Measures the runner: `python -m benchmarks.runner`. The last line is JSON. It takes about two minutes.

`overhead_ms`: a job with one input, over HTTP, against the bare process, in turns; the median of the differences. What
is compiled is never found compiled. `batch_ratio`: a Rust source with ten inputs against one.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from statistics import median
from typing import Any, Final

import httpx

from benchmarks.runner.bare import HELLO, hello_ms, processors, runs_per_s
from tests.recordings.running import running_runner

TOKEN: Final = "of-the-benchmark-alone"
ROUNDS: Final = {"PYTHON": 21, "NODE": 15, "JAVA": 7, "RUST": 9}
BACKENDS: Final = ("plain", "bubblewrap")
GOALS: Final = {"runner_overhead_ms": 30.0, "runner_batch_ratio": 1.5}
BUSY: Final = "import time\nends = time.process_time() + 1\nwhile time.process_time() < ends: pass"
LONG_JOBS: Final = 30
SHORT_JOBS: Final = 20
READ: Final = (
    "use std::io; fn main() { let mut s = String::new(); io::stdin().read_line(&mut s).unwrap();"
    ' print!("{s}"); }\n// {n}'
)


class BenchedRunner:
    """A runner of this benchmark. Sources are never the same twice."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client
        self._number = time.time_ns()

    def ms(self, language: str, inputs: int = 1, source: str | None = None) -> float:
        """Milliseconds for a job that must succeed."""
        self._number += 1
        text = source or HELLO[language].replace("{{", "{").replace("}}", "}")
        body = job(language, text.replace("{n}", str(self._number)), inputs)
        began = time.perf_counter()
        answer = self._client.post("/jobs", json=body)
        took = (time.perf_counter() - began) * 1000
        succeeded(answer)
        return took


def job(language: str, source: str, inputs: int = 1, user: str = "") -> dict[str, Any]:
    lines = [{"stdin": [str(number)]} for number in range(inputs)]
    return {"language": language, "source": source, "inputs": lines, "user": user, "deadline_ms": 120_000}


def succeeded(answer: httpx.Response) -> None:
    """Raises RuntimeError for a job that did not."""
    if answer.status_code != 200 or {one["status"] for one in answer.json()["results"]} != {"ok"}:
        raise RuntimeError(f"a job of the benchmark failed: {answer.status_code} {answer.text[:500]}")


@contextmanager
def started(backend: str) -> Iterator[tuple[BenchedRunner, str]]:
    """A runner and its URL."""
    with (
        running_runner({"RUNNER_INTERNAL_TOKEN": TOKEN, "RUNNER_SANDBOX": backend}) as running,
        httpx.Client(base_url=running.url, headers=credential(), timeout=120, trust_env=False) as client,
    ):
        yield BenchedRunner(client), running.url


def credential() -> dict[str, str]:
    return {"Authorization": f"Bearer {TOKEN}"}


def overhead(runner: BenchedRunner, language: str) -> dict[str, float]:
    """Both in turns, so that other work on the machine meets both."""
    runner.ms(language)
    pairs = [(hello_ms(language, number), runner.ms(language)) for number in range(ROUNDS[language])]
    bare = median(one for one, _ in pairs)
    over = median(ours - one for one, ours in pairs)
    return {"bare_ms": round(bare, 1), "overhead_ms": round(over, 1), "overhead_percent": round(100 * over / bare, 1)}


def batch_ratio(runner: BenchedRunner) -> float:
    """Ten inputs against one, each compiled anew."""
    pairs = [(runner.ms("RUST", 1, READ), runner.ms("RUST", 10, READ)) for _ in range(ROUNDS["RUST"])]
    return round(median(ten / one for one, ten in pairs), 2)


def full_load(url: str, seconds: float) -> float:
    """Runs/s of Python, from twice as many clients as there are turns."""

    async def load() -> float:
        ends, count = time.perf_counter() + seconds, 0

        async def client(session: httpx.AsyncClient, number: int) -> None:
            nonlocal count
            while time.perf_counter() < ends:
                succeeded(await session.post("/jobs", json=job("PYTHON", "print('hello')", user=str(number))))
                count += 1

        began = time.perf_counter()
        async with _session(url) as session:
            await asyncio.gather(*(client(session, number) for number in range(2 * processors())))
        return count / (time.perf_counter() - began)

    return asyncio.run(load())


def behind_long_runs(url: str) -> dict[str, float]:
    """Short runs of one user, one after another, while another has many runs of a second in the queue."""

    async def measure() -> list[float]:
        async with _session(url) as session:
            long = [asyncio.create_task(_long(session)) for _ in range(LONG_JOBS)]
            await asyncio.sleep(0.5)
            took = []
            for _ in range(SHORT_JOBS):
                began = time.perf_counter()
                succeeded(await session.post("/jobs", json=job("PYTHON", "print('hello')", 1, "short")))
                took.append((time.perf_counter() - began) * 1000)
            for task in long:
                task.cancel()
            await asyncio.gather(*long, return_exceptions=True)
            return sorted(took)

    took = asyncio.run(measure())
    return {"short_p50_ms": round(median(took), 1), "short_p99_ms": round(took[-1], 1)}


async def _long(session: httpx.AsyncClient) -> None:
    await session.post("/jobs", json=job("PYTHON", BUSY, 1, "long"))


def _session(url: str) -> httpx.AsyncClient:
    limits = httpx.Limits(max_connections=200)
    return httpx.AsyncClient(base_url=url, headers=credential(), timeout=120, limits=limits, trust_env=False)


def measured(backends: Sequence[str], seconds: float, told: Callable[[str], None]) -> dict[str, Any]:
    """All figures. The last backend is the one whose figures stand at the top."""
    figures: dict[str, Any] = {"backends": {}}
    for backend in backends:
        with started(backend) as (runner, url):
            found: dict[str, Any] = {language: overhead(runner, language) for language in ROUNDS}
            found["batch_ratio"] = batch_ratio(runner)
            bare = runs_per_s("PYTHON", processors(), seconds)
            found["runs_per_s"] = round(full_load(url, seconds), 1)
            found["vs_bare"] = round(found["runs_per_s"] / bare, 2)
            found |= behind_long_runs(url)
        told(f"{backend}: {json.dumps(found)}")
        figures["backends"][backend] = found
    return {
        "runner_overhead_ms": found["PYTHON"]["overhead_ms"],
        "runner_batch_ratio": found["batch_ratio"],
        **figures,
    }


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.runner", description=__doc__)
    parser.add_argument("--backends", nargs="+", default=BACKENDS, choices=("plain", "bubblewrap", "gvisor"))
    parser.add_argument("--seconds", type=float, default=5.0, help="of full load")
    options = parser.parse_args()
    figures = measured(options.backends, options.seconds, lambda line: print(line, flush=True))
    for name, goal in GOALS.items():
        if figures[name] > goal:
            print(f"{name} is {figures[name]}; wanted is at most {goal:g}")
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
