"""How often legacy has failed, in ten minutes and lately: so often the new side may fail, too. Pure."""

from typing import Any

BINS, BIN_S = 61, 10.0
_LEAST, _MOST = 0.01, 0.6


def expected_failures(requests: int, failed: int, lately: int, failed_lately: int) -> float:
    """p0: twice the part that failed on legacy, by the worse of both windows, from 1 % to 60 %."""
    return min(max(2 * max((failed + 5) / (requests + 500), failed_lately / (lately + 20)), _LEAST), _MOST)


class LegacyWindows:
    """Requests and failures by bins of 10 s: 60 that are over and the one that has begun. O(1) a tick."""

    __slots__ = ("_at", "_bins", "_elapsed", "_failed", "_requests")

    def __init__(self) -> None:
        self._bins = [(0, 0)] * BINS
        self._at = 0
        self._elapsed = 0.0
        """Seconds of the bin that has begun."""
        self._requests = self._failed = 0
        """Of all bins."""

    def add(self, failed: int, requests: int, seconds: float) -> None:
        """What ended within these seconds; they are over when the next ones begin."""
        self._turn()
        was_failed, was_requests = self._bins[self._at]
        self._bins[self._at] = was_failed + failed, was_requests + requests
        self._failed += failed
        self._requests += requests
        self._elapsed += max(seconds, 0.0)

    def expected(self) -> float:
        """See `expected_failures`."""
        (failed, requests), (failed_before, requests_before) = self._bins[self._at], self._bins[self._at - 1]
        return expected_failures(self._requests, self._failed, requests + requests_before, failed + failed_before)

    def skip(self, seconds: float) -> None:
        """So long nobody counted."""
        self._elapsed += max(seconds, 0.0)

    def snapshot(self) -> list[Any]:
        """As JSON-able values: the oldest bin first, bins before the first request left out."""
        bins = [*self._bins[self._at + 1 :], *self._bins[: self._at + 1]]
        first = next((at for at, one in enumerate(bins) if any(one)), BINS - 1)
        return [round(self._elapsed, 3), bins[first:]]

    @classmethod
    def restored(cls, saved: Any) -> "LegacyWindows":
        """Continues from a snapshot. Raises TypeError, ValueError."""
        windows, (elapsed, bins) = cls(), saved
        pairs = [(int(failed), int(requests)) for failed, requests in bins[-BINS:]]
        windows._bins = [(0, 0)] * (BINS - len(pairs)) + pairs
        windows._at, windows._elapsed = BINS - 1, max(float(elapsed), 0.0)
        windows._failed, windows._requests = (sum(column) for column in zip((0, 0), *pairs, strict=True))
        return windows

    def _turn(self) -> None:
        """Begins the bins whose time has come; the oldest are forgotten."""
        over, self._elapsed = divmod(self._elapsed, BIN_S)
        for _ in range(int(min(over, BINS))):
            self._at = (self._at + 1) % BINS
            failed, requests = self._bins[self._at]
            self._failed -= failed
            self._requests -= requests
            self._bins[self._at] = 0, 0
