"""The proxy's CPU time for a load."""

import time

from benchmarks.common.load import Load
from benchmarks.common.processes import Cores, core_seconds, cpu_seconds
from benchmarks.common.report import Sample


class Use:
    """The CPU time of a proxy, and of its core, since this object was created."""

    def __init__(self, pid: int, cores: Cores | None) -> None:
        self._pid, self._core = pid, cores.proxy if cores else None
        self._began = time.perf_counter()
        self._before = self._read()

    def sample(self, load: Load) -> Sample:
        (own, all_), (own_before, all_before) = self._read(), self._before
        if own is None or own_before is None or all_ is None or all_before is None:
            return Sample(load, None)
        others = max(0.0, (all_ - all_before) - (own - own_before))
        return Sample(
            load, (own - own_before) / max(1, load.requests) * 1e6, others / (time.perf_counter() - self._began)
        )

    def _read(self) -> tuple[float | None, float | None]:
        return cpu_seconds(self._pid), None if self._core is None else core_seconds(self._core)
