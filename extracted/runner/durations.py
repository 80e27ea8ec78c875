"""How long things took, counted for a histogram."""

from collections.abc import Sequence


class DurationCounts:
    """`counts`: one for each bound, and one above the last, as `chassis.service.metrics.Histogram` wants them."""

    def __init__(self, bounds_s: Sequence[float]) -> None:
        self._bounds_s = bounds_s
        self.counts = [0] * (len(bounds_s) + 1)
        self.sum_s = 0.0

    def observe(self, seconds: float) -> None:
        """Counts one duration."""
        self.counts[sum(seconds > bound for bound in self._bounds_s)] += 1
        self.sum_s += seconds
