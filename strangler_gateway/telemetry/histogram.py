"""Histograms with fixed edges: those of processes, gateways and periods add up. A list has a count for each bin.

Bin `i` is above edge `i - 1` and up to edge `i`; the last one is open. Neighbouring edges differ by a tenth at most.
"""

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Any, Final

STEP: Final = 1.1
_DECADE = (1.0, 2.5, 3.0, 5.0, 10.0)
"""Edges in any case: Prometheus's buckets are made of these bins."""


def _between(low: float, high: float) -> list[float]:
    """`low`, and edges at equal ratios up to `high`."""
    parts = math.ceil(math.log(high / low) / math.log(STEP))
    return [low, *(low * (high / low) ** (part / parts) for part in range(1, parts))]


def _decades(first: int, last: int) -> tuple[float, ...]:
    """From 10^first to 10^last."""
    mantissas = [one for low, high in pairwise(_DECADE) for one in _between(low, high)]
    exponents = range(first, last)
    return (*(float(f"{one:.4g}e{exponent}") for exponent in exponents for one in mantissas), 10.0**last)


SECONDS: Final = _decades(-4, 2)
"""From 0.1 ms to 100 s."""
BYTES: Final = (0.0, *_decades(1, 9))
"""An empty body, and up to 1 GB."""
WHOLE_BYTES: Final = tuple(map(math.floor, BYTES))
"""The same for numbers of bytes, in which integers are found faster."""
RATIOS: Final = tuple(1.2 ** (quarter / 4) for quarter in range(-40, 61))
"""Of two durations or sizes: the new side's through legacy's. 1.2 and 1/1.2 are edges."""

SLACK_BYTES: Final = 64.0
"""A difference of so few bytes is none."""


def ratio(legacy: float, new: float, slack: float = SLACK_BYTES) -> float:
    """Of a pair, for RATIOS; 1 where they differ by no more than `slack`."""
    if abs(new - legacy) <= slack:
        return 1.0
    return new / legacy if legacy > 0 else RATIOS[-1] * STEP


def sparse(counts: Sequence[int]) -> list[list[int]]:
    """Bins that are not empty, as pairs of index and count: JSON-able."""
    return [[at, count] for at, count in enumerate(counts) if count]


def add_sparse(counts: list[int], bins: Any) -> None:
    """Adds what `sparse` made, here or elsewhere. Raises TypeError, ValueError, IndexError, and may have added some."""
    for at, count in bins:
        if not (isinstance(at, int) and isinstance(count, int) and 0 <= at < len(counts) and count >= 0):
            raise ValueError("a bin is out of range")
        counts[at] += count


def coarse(counts: Sequence[int], edges: Sequence[float], wanted: Sequence[float]) -> list[int]:
    """The same counts in fewer bins; each edge of `wanted` is one of `edges`."""
    ends = [edges.index(edge) + 1 for edge in wanted]
    return [sum(counts[low:high]) for low, high in zip((0, *ends), (*ends, len(counts)), strict=True)]


def summed(histograms: Iterable[Sequence[int]], size: int) -> list[int]:
    """The plain sum."""
    total = [0] * size
    for counts in histograms:
        for at, count in enumerate(counts):
            total[at] += count
    return total
