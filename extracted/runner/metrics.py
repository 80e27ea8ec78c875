"""The runner's own metrics: its queue, what has run, how long it took, and the compile cache."""

from collections import Counter
from collections.abc import Iterator
from typing import Final

from chassis.service.metrics import Histogram, Metric, gauge
from extracted.runner.compile_cache import CompileCache
from extracted.runner.durations import DurationCounts
from extracted.runner.queue import FairQueue
from extracted.runner.sandbox.port import RunOutcome

SECONDS: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0)


class RunnerMetrics:
    """Counts runs. The languages are those of the language files, so the series are few."""

    def __init__(self, queue: FairQueue, cache: CompileCache) -> None:
        self._queue = queue
        self._cache = cache
        self._steps: Counter[tuple[str, str, str]] = Counter()
        self._durations: dict[tuple[str, str], DurationCounts] = {}

    def ran(self, language: str, step: str, outcome: RunOutcome) -> None:
        """Counts a step that ended."""
        self._steps[language, step, outcome.status.value] += 1
        self._durations.setdefault((language, step), DurationCounts(SECONDS)).observe(outcome.wall_ms / 1000)

    def blocks(self) -> Iterator[Metric | Histogram]:
        """In the order of the page."""
        queue, cache = self._queue, self._cache
        yield gauge("runner_queue_waiting", "Steps that wait for a turn.", queue.waiting)
        yield gauge("runner_queue_oldest_seconds", "How long the oldest of them waits.", queue.oldest_s)
        yield gauge("runner_running", "Steps that run now.", queue.running)
        yield Metric(
            "runner_steps_total",
            "counter",
            "Steps that ended, by language, step (compile, run) and status.",
            [
                ({"language": language, "step": step, "status": status}, count)
                for (language, step, status), count in self._steps.items()
            ],
        )
        yield Histogram(
            "runner_step_seconds",
            "How long steps took, without waiting.",
            SECONDS,
            [
                ({"language": language, "step": step}, durations.counts, durations.sum_s)
                for (language, step), durations in self._durations.items()
            ],
        )
        refused = [({"reason": reason}, count) for reason, count in queue.refusals.items()]
        yield Metric("runner_refused_total", "counter", "Jobs that were not taken, or given back.", refused)
        lookups = [({"result": "hit"}, cache.hits), ({"result": "miss"}, cache.misses)]
        yield Metric("runner_compile_cache_total", "counter", "Programs that were found compiled, or not.", lookups)
        yield gauge("runner_compile_cache_programs", "Programs in the compile cache.", len(cache))
        yield gauge("runner_compile_cache_bytes", "Their size.", cache.size_bytes)
