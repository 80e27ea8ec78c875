"""One run of the benchmark: start everything, let the designs take turns, measure, end everything."""

import os
import platform
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.common.designs import STARTERS, Design, Stage
from benchmarks.common.load import Fields, Generator
from benchmarks.common.migration import TARGET, UPLOAD, bytes_target, new_caller
from benchmarks.common.origins import Origins, origins
from benchmarks.common.processes import choose_cores, pinned
from benchmarks.common.report import Measurements, figures, summary
from benchmarks.gateway import authenticated, resilience, several_workers, streams
from benchmarks.gateway.checks import check_answer, check_steps
from benchmarks.gateway.overview import overview_vs_cascade
from benchmarks.gateway.reads import NAMES, read_overheads
from benchmarks.gateway.use import Use

CONNECTIONS = 64
SLOW_READERS = 32
_SLOW_BYTES = 100 * streams.MIB
_DOWNLOADS_A_ROUND = 3

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Options:
    """What to run. Sizes in MiB and times in seconds; 0 leaves that part out."""

    rounds: int = 5
    seconds: float = 2.0
    only: tuple[str, ...] = tuple(STARTERS)
    download_mib: int = 100
    stream_mib: int = 1024
    slow_seconds: float = 10.0
    read_seconds: float = 2.0
    auth_seconds: float = 2.0
    resilience_seconds: float = 2.0
    workers_seconds: float = 2.0


class Comparison:
    """The designs of one run, and what has been measured of them so far."""

    def __init__(self, options: Options, say: Say) -> None:
        self._options, self._say = options, say
        self._generator = Generator()
        self._cores = choose_cores()
        self._measured = Measurements(download_bytes=options.download_mib * streams.MIB)
        self._stream_bytes = options.stream_mib * streams.MIB

    def run(self) -> dict[str, object]:
        """The result, ready for JSON. Raises DidNotStart; whatever happens, no process stays."""
        cores = self._cores
        others = cores.others if cores else None
        sizes = (self._measured.download_bytes, self._stream_bytes, _SLOW_BYTES)
        with ExitStack() as closing:
            folder = Path(closing.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
            closing.enter_context(pinned(others))
            upstream = closing.enter_context(origins(folder, others, sizes))
            stage = Stage(closing, folder, cores, new_caller(), upstream.main_port, upstream.sink_port)
            designs = self._start(stage)
            self._measure(designs, stage.caller.fields)
            result = self._report(upstream, alone=cores is not None and cores.proxy != cores.others)
        return result | self._reads() | self._overview() | self._authenticated() | self._resilience() | self._workers()

    def _start(self, stage: Stage) -> list[Design]:
        designs = []
        for name in self._options.only:
            design = STARTERS[name](stage)
            if design is None:
                self._say(f"{name}: not installed")
                continue
            self._warm_up(design, stage.caller.fields)
            designs.append(design)
        return designs

    def _warm_up(self, design: Design, fields: Fields) -> None:
        check_answer(design, fields)
        if design.name in ("gateway", "compiled"):
            check_steps(design, fields)
        self._generator.run(design.port, TARGET, fields, CONNECTIONS, min(1.0, self._options.seconds))

    def _measure(self, designs: list[Design], fields: Fields) -> None:
        for number in range(self._options.rounds):
            for design in _rotated(designs, number):
                self._small(design, fields, number)
                self._small(design, fields, number, varied=True)
                self._large(design, fields)
        for design in designs:
            if design.name == "gateway":
                self._memory(design, fields)

    def _small(self, design: Design, fields: Fields, number: int, varied: bool = False) -> None:
        use = Use(design.child.pid, self._cores)
        load = self._generator.run(design.port, TARGET, fields, CONNECTIONS, self._options.seconds, varied)
        sample = use.sample(load)
        kept = self._measured.varied if varied else self._measured.samples
        kept.setdefault(design.name, []).append(sample)
        self._say(
            f"round {number + 1} {design.name:12} {'varied' if varied else '':6}"
            f" {load.requests_per_s:9.0f} req/s  p50 {load.p50_ms:7.2f} ms  p99 {load.p99_ms:7.2f} ms"
            f"  {sample.cpu_us or 0:7.1f} us of CPU  errors {load.errors}"
            f"  core taken by others {100 * (sample.taken or 0):.0f} %"
        )

    def _large(self, design: Design, fields: Fields) -> None:
        size = self._measured.download_bytes
        for _ in range(_DOWNLOADS_A_ROUND if size else 0):
            seconds, received = streams.download(design.port, bytes_target(size), fields)
            if received != size:
                raise RuntimeError(f"{design.name} delivered {received} of {size} bytes")
            self._measured.downloads.setdefault(design.name, []).append(seconds)

    def _memory(self, design: Design, fields: Fields) -> None:
        if size := self._stream_bytes:
            with streams.peak_rss(design.child.pid) as peak:
                streams.both_ways(design.port, bytes_target(size), UPLOAD, fields, size)
            self._measured.rss_mib["streaming"] = peak()
        if seconds := self._options.slow_seconds:
            with streams.peak_rss(design.child.pid) as peak:
                streams.read_slowly(design.port, bytes_target(_SLOW_BYTES), fields, SLOW_READERS, seconds)
            self._measured.rss_mib["slow_readers"] = peak()
        self._say(f"memory of the gateway, MiB: {self._measured.rss_mib}")

    def _authenticated(self) -> dict[str, float | None]:
        """What it costs to know users."""
        if not self._options.auth_seconds:
            return dict.fromkeys(authenticated.NAMES)
        with tempfile.TemporaryDirectory(prefix="bench-users-") as folder:
            ratios = authenticated.auth_ratios(Path(folder), self._options.rounds, self._options.auth_seconds)
        self._say(f"requests of users against requests of nobody: {ratios}")
        return ratios

    def _resilience(self) -> dict[str, float | None]:
        """What breakers, places and several instances cost."""
        if not self._options.resilience_seconds:
            return dict.fromkeys(resilience.NAMES)
        with tempfile.TemporaryDirectory(prefix="bench-resilience-") as folder:
            ratios = resilience.resilience_ratios(Path(folder), self._options.rounds, self._options.resilience_seconds)
        self._say(f"with everything of resilience against nothing of it: {ratios}")
        return ratios

    def _workers(self) -> dict[str, float | None]:
        """What a second worker adds where the load runs on the same cores."""
        if not self._options.workers_seconds:
            return {several_workers.NAME: None}
        with tempfile.TemporaryDirectory(prefix="bench-workers-") as folder:
            found = several_workers.workers_ratio(Path(folder), self._options.rounds, self._options.workers_seconds)
        self._say(f"two workers against one process, with the load on the same cores: {found}")
        return found

    def _reads(self) -> dict[str, float | None]:
        """The cost of a read through gateway and service; on any core: here all of it is the user's."""
        seconds = self._options.read_seconds
        if not seconds:
            return {f"{name}{suffix}": None for name in NAMES for suffix in ("", "_postgres")}
        with tempfile.TemporaryDirectory(prefix="bench-reads-") as folder:
            overheads = read_overheads(Path(folder), self._options.rounds, seconds)
        self._say(f"a read through the gateway against the service itself: {overheads}")
        return overheads

    def _overview(self) -> dict[str, float | None]:
        """The whole start of a client in one request, against its calls; on any core, too."""
        if not self._options.read_seconds:
            return {"overview_vs_cascade": None}
        with tempfile.TemporaryDirectory(prefix="bench-overview-") as folder:
            figure = overview_vs_cascade(Path(folder), self._options.rounds)
        self._say(f"the overview against the calls that it replaces, from 20 ms away: {figure}")
        return {"overview_vs_cascade": figure}

    def _report(self, upstream: Origins, alone: bool) -> dict[str, object]:
        return {
            **summary(self._measured),
            "designs": {name: figures(name, self._measured) for name in STARTERS},
            "load": f"GET 1 KiB, {CONNECTIONS} kept-alive connections, repeated and varied;"
            f" GET {self._options.download_mib} MiB",
            "rounds": self._options.rounds,
            "seconds": self._options.seconds,
            "generator": self._generator.name,
            "upstream": upstream.kind,
            "proxy_has_a_core_of_its_own": alone,
            "python": platform.python_version(),
            "load_average": os.getloadavg()[0],
        }


def _rotated(designs: Sequence[Design], number: int) -> list[Design]:
    """So that no design always follows the same one."""
    first = number % max(1, len(designs))
    return [*designs[first:], *designs[:first]]
