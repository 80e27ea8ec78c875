"""Where the gateway's time goes under load: `python -m benchmarks.profile`. Times are us of CPU for each request.

`--method spy` samples from outside with py-spy, C functions included (`pip install py-spy`). `--method cprofile`
counts every call from inside: right about numbers of calls, but it makes small functions look dear.
"""

import argparse
import os
import pstats
import signal
import subprocess
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from benchmarks.common import designs
from benchmarks.common.load import Generator, Load
from benchmarks.common.migration import TARGET, new_caller
from benchmarks.common.origins import origins
from benchmarks.common.processes import choose_cores, cpu_seconds, find_program, pinned
from benchmarks.profile import samples

_CONNECTIONS = 64
_SAMPLES_A_SECOND = 500


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    parser.add_argument(
        "--method", choices=["spy", "cprofile"], default="spy" if find_program("py-spy") else "cprofile"
    )
    parser.add_argument("--seconds", type=float, default=5)
    parser.add_argument("--rows", type=int, default=40)
    return parser.parse_args()


@contextmanager
def gateway_on_stage(folder: Path, wrapper: tuple[str, ...] = ()) -> Iterator[tuple[designs.Design, designs.Stage]]:
    """The gateway before its upstreams, as in the benchmark."""
    cores = choose_cores()
    others = cores.others if cores else None
    with pinned(others), origins(folder, others, ()) as upstream, ExitStack() as closing:
        stage = designs.Stage(closing, folder, cores, new_caller(), upstream.main_port, upstream.sink_port)
        yield designs.gateway(stage, wrapper=wrapper), stage


def load(design: designs.Design, stage: designs.Stage, seconds: float) -> tuple[Load, float]:
    """What the load saw, and us of CPU of the gateway for each request."""
    before = cpu_seconds(design.child.pid) or 0.0
    seen = Generator().run(design.port, TARGET, stage.caller.fields, _CONNECTIONS, seconds)
    spent = (cpu_seconds(design.child.pid) or 0.0) - before
    return seen, spent / max(1, seen.requests) * 1e6


def spy(options: argparse.Namespace, folder: Path) -> None:
    program = find_program("py-spy")
    if program is None:
        sys.exit("py-spy is not installed: pip install py-spy, or --method cprofile")
    stacks = folder / "stacks"
    with gateway_on_stage(folder) as (design, stage):
        _, undisturbed_us = load(design, stage, 2)
        loading = threading.Thread(target=load, args=(design, stage, options.seconds + 2))
        loading.start()
        command = [program, "record", "--native", "-f", "raw", "-o", str(stacks)]
        command += ["-d", str(round(options.seconds)), "-r", str(_SAMPLES_A_SECOND), "-p", str(design.child.pid)]
        sampled = subprocess.run(command, check=False, capture_output=True, text=True)
        loading.join()
    if sampled.returncode:
        sys.exit(f"py-spy could not sample, try --method cprofile: {sampled.stderr.strip()}")
    _print_samples(samples.read_stacks(stacks.read_text()), undisturbed_us, options.rows)


def _print_samples(stacks: list[tuple[list[str], int]], us: float, rows: int) -> None:
    print(f"{us:.1f} us of CPU for each request (not profiled)")
    _print("itself and the C it calls, by Python function", samples.by_innermost_python(stacks), stacks, us, rows)
    _print("itself and all it calls, by Python function", samples.by_any_python(stacks), stacks, us, rows)
    _print("itself, by innermost function", samples.by_innermost(stacks), stacks, us, rows)


def _print(title: str, counts: Counter[str], stacks: list[tuple[list[str], int]], us: float, rows: int) -> None:
    total = sum(count for _, count in stacks)
    print(f"\n{title}\n     us      %")
    for function, count in counts.most_common(rows):
        print(f"{us * count / total:7.2f} {100 * count / total:6.1f}  {function}")


def cprofile(options: argparse.Namespace, folder: Path) -> None:
    report = folder / "calls"
    with gateway_on_stage(folder, ("-m", "benchmarks.profile.profiled", str(report))) as (design, stage):
        load(design, stage, 1)
        os.kill(design.child.pid, signal.SIGUSR1)
        seen, us = load(design, stage, options.seconds)
    print(f"{seen.requests} requests, {us:.1f} us of CPU for each (under cProfile)")
    _print_calls(pstats.Stats(str(report)), seen.requests, options.rows)


def _print_calls(stats: pstats.Stats, requests: int, rows: int) -> None:
    print("\n us own  us all  calls, all for each request")
    functions = vars(stats)["stats"]  # the typed view of it merges functions of one name
    per = 1e6 / requests
    for (file, line, name), (_, calls, own, total, _) in sorted(functions.items(), key=lambda f: -f[1][2])[:rows]:
        print(f"{own * per:7.2f} {total * per:7.2f} {calls / requests:6.2f}  {Path(file).name}:{line} {name}")


if __name__ == "__main__":
    chosen = arguments()
    with tempfile.TemporaryDirectory(prefix="profile-") as temporary:
        (spy if chosen.method == "spy" else cprofile)(chosen, Path(temporary))
