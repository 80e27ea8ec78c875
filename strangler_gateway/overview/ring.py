"""What was counted over time, for pictures: a ring of samples. Pure."""

import sys
from array import array
from collections.abc import Iterable, Mapping, Sequence
from math import inf, isnan, nan
from typing import NamedTuple

ALL = ""
"""The name of the sum over all movables."""


class Sample(NamedTuple):
    """Of one movable in one interval: requests and failures of both sides; median and 95th percentile in seconds.

    `users_new`, `users`: with a request to the new side, and to any, since the process has started; estimated.
    """

    legacy: float = 0
    new: float = 0
    failed_legacy: float = 0
    failed_new: float = 0
    p50_legacy: float = nan
    p95_legacy: float = nan
    p50_new: float = nan
    p95_new: float = nan
    users_new: float = 0
    users: float = 0


WIDTH = len(Sample._fields)
NOTHING = array("f", Sample())
SAMPLE_BYTES = WIDTH * NOTHING.itemsize


class RingCopy(NamedTuple):
    """What a ring holds, the oldest first; `rows`: by name, SAMPLE_BYTES for each time, little-endian floats."""

    times: list[float]
    seconds: list[float]
    rows: Mapping[str, bytes]


class Ring:
    """The last `points` samples of each movable, 40 bytes each; a movable without traffic takes no room."""

    def __init__(self, points: int) -> None:
        self._points, self._count = points, 0
        self._times, self._seconds = array("d", bytes(8 * points)), array("d", bytes(8 * points))
        self._rows: dict[str, array[float]] = {}

    def add(self, at: float, seconds: float, samples: Mapping[str, Sample]) -> None:
        """The sample of an interval that ended `at` (Unix seconds) after so many seconds. Others had no traffic."""
        slot, self._count = self._count % self._points, self._count + 1
        self._times[slot], self._seconds[slot] = at, seconds
        for name in samples.keys() - self._rows.keys():
            self._rows[name] = NOTHING * self._points
        for name, rows in self._rows.items():
            rows[slot * WIDTH : (slot + 1) * WIDTH] = array("f", samples.get(name, ())) or NOTHING

    def keep(self, names: Iterable[str]) -> None:
        """Forgets all others."""
        for gone in self._rows.keys() - {ALL, *names}:
            del self._rows[gone]

    @property
    def taken(self) -> int:
        """How many samples there were so far."""
        return self._count

    @property
    def size(self) -> int:
        """How many samples it holds."""
        return self._points

    @property
    def latest_at(self) -> float:
        """When the last interval ended; -inf if there was none."""
        return self._times[(self._count - 1) % self._points] if self._count else -inf

    @property
    def names(self) -> list[str]:
        """Those with traffic in any sample."""
        return list(self._rows)

    def copy(self) -> RingCopy:
        """Of everything."""
        slots = self._slots()
        first = slots[0] * WIDTH if slots else 0
        rows = {
            name: _packed(one[first:] + one[:first])[: len(slots) * SAMPLE_BYTES] for name, one in self._rows.items()
        }
        return RingCopy([self._times[at] for at in slots], [self._seconds[at] for at in slots], rows)

    def restore(self, saved: RingCopy) -> None:
        """Begins with these samples. Raises ValueError if they are none, and then changes nothing."""
        many = len(saved.times)
        if many > self._points or len(saved.seconds) != many or saved.times != sorted(saved.times):
            raise ValueError("the times of samples are none")
        rows = {name: _read(data, many) for name, data in saved.rows.items()}
        self._count, self._rows = 0, {}
        for at, seconds, slot in zip(saved.times, saved.seconds, range(many), strict=True):
            self.add(at, seconds, {name: Sample(*row[slot * WIDTH : (slot + 1) * WIDTH]) for name, row in rows.items()})

    def samples(self, name: str, after: float) -> list[tuple[float, float, Sample]]:
        """When each interval ended, how many seconds it had, and what was counted; the oldest first."""
        rows = self._rows.get(name)
        found = []
        for slot in (one for one in self._slots() if self._times[one] > after):
            row = NOTHING if rows is None else rows[slot * WIDTH : (slot + 1) * WIDTH]
            found.append((self._times[slot], self._seconds[slot], Sample(*row)))
        return found

    def latest(self, name: str, seconds: float) -> tuple[float, Sample]:
        """How many seconds the last intervals have together, at least so many if there are any, and their sum."""
        rows, summed, total = self._rows.get(name), 0.0, [0.0] * 4
        for slot in reversed(self._slots()):
            summed += self._seconds[slot]
            if rows is not None:
                total = [one + more for one, more in zip(total, rows[slot * WIDTH : slot * WIDTH + 4], strict=True)]
            if summed >= seconds:
                break
        return summed, Sample(*total)

    def _slots(self) -> Sequence[int]:
        if self._count < self._points:
            return range(self._count)
        first = self._count % self._points
        return [*range(first, self._points), *range(first)]


def _packed(row: "array[float]") -> bytes:
    if sys.byteorder == "big":
        row.byteswap()
    return row.tobytes()


def _read(data: bytes, many: int) -> "array[float]":
    """Raises ValueError."""
    row = array("f", data)
    if sys.byteorder == "big":
        row.byteswap()
    if len(row) != many * WIDTH or not all(isnan(value) or 0 <= value < inf for value in row):
        raise ValueError("a row is no samples")
    return row


def percentile(bins: Mapping[int, int], edges: Sequence[float], part: float) -> float:
    """Of a histogram: the place within its bin where so large a part lies below. NaN if nothing was counted.

    Bin `i` ends at edge `i`; what lies above the last edge counts as it.
    """
    wanted, below = part * sum(bins.values()), 0
    for at in sorted(bins):
        if below + bins[at] >= wanted:
            low, high = edges[at - 1] if at else 0.0, edges[min(at, len(edges) - 1)]
            return low + (high - low) * (wanted - below) / bins[at]
        below += bins[at]
    return nan


def known(value: float) -> float | None:
    """For JSON, which has no NaN."""
    return None if isnan(value) else round(value, 6)
