"""Measures how fast Mailer sends: `python -m benchmarks.mail` (on `make parts`, else on SQLite). The last line is JSON.

The provider is its own process and takes 50 ms per mail; Mailers, database and broker share this machine. A consumer is
a Mailer with one sender. For comparison, eight senders run in one process: together they use one core.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import httpx

from benchmarks.mail import baseline as mail_baseline
from benchmarks.mail.parts import SinkProcess, are_parts_up, cpu_s, mailers, rss_mib, sink
from tests.unit.extracted.mailer.running import INTERNAL, RunningMailer

CONSUMERS = (1, 2, 4, 8)
WARM_S = 1.0
WITHIN_S = 300.0
FRESH_PER_S = 10.0


@dataclass(frozen=True, slots=True)
class Throughput:
    """One number of Mailers and senders. `cpu_ms`: their CPU time per mail; `sink_cpu_ms`: the provider's."""

    processes: int
    senders: int
    mails_per_s: float
    cpu_ms: float
    sink_cpu_ms: float


@dataclass(frozen=True, slots=True)
class Backlog:
    """Fresh mails while thousands of retries are due. `accept`: POST /mails; `leave`: until the provider has it."""

    retries: int
    fresh: int
    accept_p50_ms: float
    accept_p99_ms: float
    leave_p50_s: float
    leave_max_s: float
    drained_s: float
    mails_per_s: float
    rss_start_mib: float
    rss_end_mib: float
    lost: int
    doubled: int


def throughput(folder: Path, processes: int, senders: int, latency_ms: float, seconds: float) -> Throughput:
    """Measures during a backlog that is long enough."""
    most = int(processes * senders * (WARM_S + seconds + 3 * processes) * 1000 / latency_ms)
    with sink(folder, latency_ms) as provider, mailers(folder, provider.port, processes, senders, most) as running:
        _until(lambda: provider.count() > 0)
        time.sleep(WARM_S)
        ours = [one.process.pid for one in running]
        began, before, used = time.perf_counter(), provider.count(), (_cpu_s(ours), cpu_s(provider.pid))
        time.sleep(seconds)
        count, took = provider.count() - before, time.perf_counter() - began
        spent = (_cpu_s(ours) - used[0], cpu_s(provider.pid) - used[1])
    each_ms = (round(seconds * 1000 / max(1, count), 2) for seconds in spent)
    return Throughput(processes, senders, round(count / took, 1), *each_ms)


def _cpu_s(pids: Sequence[int]) -> float:
    return sum(map(cpu_s, pids))


def behind_retries(folder: Path, retries: int, fresh: int, latency_ms: float) -> Backlog:
    """Eight senders, until the backlog is empty."""
    with (
        sink(folder, latency_ms) as provider,
        mailers(folder, provider.port, 1, CONSUMERS[-1], retries, are_retries=True) as [running],
    ):
        _until(lambda: provider.count() > 0)
        began, rss = time.perf_counter(), rss_mib(running.process.pid)
        accepted_ms, asked = asyncio.run(_ask(running, fresh))
        _until(lambda: provider.count() >= retries + fresh)
        drained, rss_end = time.perf_counter() - began, rss_mib(running.process.pid)
        return _told(provider, retries, accepted_ms, asked, drained, (rss, rss_end))


def _told(
    provider: SinkProcess,
    retries: int,
    accepted_ms: Sequence[float],
    asked: dict[str, float],
    drained: float,
    rss: tuple[float, float],
) -> Backlog:
    taken = provider.taken()
    first = {one.id: one.at for one in reversed(taken)}
    leave, accepted = sorted(first[mail_id] - at for mail_id, at in asked.items()), sorted(accepted_ms)
    wanted = retries + len(asked)
    rates = (round(drained, 1), round(wanted / drained, 1))
    counts = (wanted - len(first), len(taken) - len(first))
    accept = (_at(accepted, 50), _at(accepted, 99))
    return Backlog(retries, len(asked), *accept, _at(leave, 50), _at(leave, 100), *rates, *rss, *counts)


async def _ask(running: RunningMailer, number: int) -> tuple[list[float], dict[str, float]]:
    """Open loop: each is sent when it is due. Returns each answer's ms, and id → the Unix time when it was due."""
    took, asked = list[float](), dict[str, float]()

    async def one(client: httpx.AsyncClient, due: float, wall: float, key: int) -> None:
        values = {"kind": "verify_account", "recipient": "ada@bench.test", "locale": "en"}
        body = values | {"variables": {"username": "ada", "token": str(key)}}
        answer = await client.post("/mails", json=body, headers={"Idempotency-Key": f"fresh-{key}"})
        took.append((time.perf_counter() - due) * 1000)
        asked[answer.raise_for_status().json()["id"]] = wall

    headers = {"Authorization": f"Bearer {INTERNAL}"}
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{running.port}", headers=headers, timeout=20) as client:
        began, wall = time.perf_counter(), time.time()
        async with asyncio.TaskGroup() as tasks:
            for key in range(number):
                due = key / FRESH_PER_S
                await asyncio.sleep(max(0.0, began + due - time.perf_counter()))
                tasks.create_task(one(client, began + due, wall + due, key))
    return took, asked


def _at(ascending: Sequence[float], percent: int) -> float:
    """The smallest value that `percent` of the values do not exceed."""
    return round(ascending[-(-len(ascending) * percent // 100) - 1], 2)


def _until(is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"not finished within {WITHIN_S:.0f} s")
        time.sleep(0.05)


def main(argv: Sequence[str] | None = None) -> int:
    options = _arguments(argv)

    def say(line: str) -> None:
        if not options.json_only:
            print(line, flush=True)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with sink(folder, options.latency_ms) as provider:
            bare = mail_baseline.mails_per_s(provider.port, options.seconds / 2)
        say(f"aiosmtplib alone, one after the other: {bare:.1f} mails/s")
        runs = list[Throughput]()
        for processes, senders in (*((consumers, 1) for consumers in CONSUMERS), (1, CONSUMERS[-1])):
            runs.append(throughput(folder, processes, senders, options.latency_ms, options.seconds))
            say(json.dumps(asdict(runs[-1])))
        backlog = behind_retries(folder, options.backlog, options.fresh, options.latency_ms)
        say(json.dumps(asdict(backlog)))
    one, in_one = runs[0].mails_per_s, runs.pop()
    result = {
        "stores": "PostgreSQL and RabbitMQ" if are_parts_up() else "SQLite",
        "latency_ms": options.latency_ms,
        "mails_per_s": {run.processes: run.mails_per_s for run in runs},
        **{f"scaling_{run.processes}": round(run.mails_per_s / (run.processes * one), 3) for run in runs[1:]},
        f"scaling_{in_one.senders}_in_one_process": round(in_one.mails_per_s / (in_one.senders * one), 3),
        "bare_mails_per_s": round(bare, 1),
        "vs_bare": round(one / bare, 3),
        "accept_p99_ms": backlog.accept_p99_ms,
        "fresh_leaves_s": backlog.leave_max_s,
        "runs": [asdict(run) for run in (*runs, in_one)],
        "backlog": asdict(backlog),
    }
    print(json.dumps(result))
    return 0 if backlog.lost == backlog.doubled == 0 else 1


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mail", description=__doc__)
    parser.add_argument("--seconds", type=float, default=10.0, help="per number of consumers (default %(default)s)")
    parser.add_argument(
        "--latency-ms", type=float, default=50.0, help="of the provider, per mail (default %(default)s)"
    )
    parser.add_argument(
        "--backlog", type=int, default=10_000, help="retries that fresh mails overtake (default %(default)s)"
    )
    parser.add_argument("--fresh", type=int, default=200, help="fresh mails (default %(default)s)")
    parser.add_argument("--json-only", action="store_true", help="print only the JSON line")
    return parser.parse_args(argv)


if __name__ == "__main__":
    raise SystemExit(main())
