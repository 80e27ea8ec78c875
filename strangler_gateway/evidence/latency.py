"""Rule 3: is the new side slow, or are its answers of another size? By pairs in shadow, histograms in canary. Pure.

The new side is slow when clearly more than the expected part of its answers lies beyond 1.2 times legacy's: of pairs
more than half, of requests more than half beyond legacy's median, or more than 5 % beyond legacy's 95th percentile.
"""

import math
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from itertools import accumulate
from typing import NamedTuple

from strangler_gateway.evidence.bounds import Proportion, wilson

Z = 2.33
LEAST_LEGACY = 100
"""With fewer answers of legacy nobody knows its 95th percentile. A route that has fewer is pooled with the others."""

Histogram = Sequence[int]


class Beyond(StrEnum):
    """What lies beyond: longer or larger than legacy's, or smaller."""

    ABOVE = "above"
    BELOW = "below"


@dataclass(frozen=True, slots=True)
class Question:
    """Which part of the answers may lie beyond what: `share` of legacy's, and PASS below `passes`."""

    name: str
    side: Beyond
    quantile: float
    expected: float
    passes: float


MEDIAN = Question("p50", Beyond.ABOVE, 0.5, 0.5, 0.5)
TAIL = Question("p95", Beyond.ABOVE, 0.95, 0.05, 0.07)
SMALLER = Question("smaller_p50", Beyond.BELOW, 0.5, 0.5, 0.5)
SMALLEST = Question("smaller_p5", Beyond.BELOW, 0.05, 0.05, 0.07)
PAIRS = Question("pairs", Beyond.ABOVE, 0.5, 0.5, 0.5)
SMALLER_PAIRS = Question("smaller_pairs", Beyond.BELOW, 0.5, 0.5, 0.5)
SLOW, SIZES = (MEDIAN, TAIL), (MEDIAN, TAIL, SMALLER, SMALLEST)
SLOW_PAIRS, SIZE_PAIRS = (PAIRS,), (PAIRS, SMALLER_PAIRS)


class BeyondPart(NamedTuple):
    """`beyond` of `of` answers lie beyond what the question says; between `lower` and `upper` of all will."""

    question: Question
    beyond: float
    of: int
    lower: float
    upper: float

    @property
    def is_beyond(self) -> bool:
        """Clearly more than expected."""
        return self.lower > self.question.expected

    @property
    def passes(self) -> bool:
        """Clearly no more than expected."""
        return self.upper < self.question.passes


class TimingVerdict(StrEnum):
    """BEYOND beats PASS."""

    PASS = "pass"  # noqa: S105  # a verdict, no password
    WAIT = "wait"
    BEYOND = "beyond"


@dataclass(frozen=True, slots=True)
class TimingEvidence:
    """`answers` of the new side (pairs in shadow); `least`: so many are needed. `legacy`: None for pairs."""

    verdict: TimingVerdict
    parts: tuple[BeyondPart, ...]
    answers: int
    least: int
    legacy: int | None = None
    routes: Mapping[str, tuple[BeyondPart, ...]] = field(default_factory=dict)
    """Routes that are beyond by themselves, and in what."""


def part_of(question: Question, beyond: float, of: int) -> BeyondPart:
    """With its limits (Wilson, z = 2.33)."""
    return BeyondPart(question, beyond, of, *wilson(Proportion(beyond / of if of else 0.0, of), Z))


def judge(parts: Sequence[BeyondPart], least: int, legacy: int | None = None) -> TimingEvidence:
    """From the parts of one sample."""
    answers = min((one.of for one in parts), default=0)
    enough = answers >= least and (legacy is None or legacy >= LEAST_LEGACY)
    if enough and any(one.is_beyond for one in parts):
        verdict = TimingVerdict.BEYOND
    else:
        verdict = TimingVerdict.PASS if enough and all(one.passes for one in parts) else TimingVerdict.WAIT
    return TimingEvidence(verdict, tuple(parts), answers, least, legacy)


class Measured(NamedTuple):
    """Of one route: legacy's histogram and the new side's, with the same edges."""

    legacy: Histogram
    new: Histogram


class Ratio(NamedTuple):
    """So much longer is beyond, if it is also more than `slack` (seconds, bytes)."""

    times: float = 1.2
    slack: float = 0.0


def judge_histograms(
    questions: Sequence[Question], routes: Mapping[str, Measured], edges: Sequence[float], ratio: Ratio, least: int
) -> TimingEvidence:
    """Each route against its own legacy, then summed; a route that is beyond by itself decides, too."""
    found = _judged(questions, strata(list(routes.values())), edges, ratio, least)
    alone = {
        name: tuple(part for part in one.parts if part.is_beyond)
        for name, route in routes.items()
        if (one := _judged(questions, [route], edges, ratio, least)).verdict is TimingVerdict.BEYOND
    }
    return _with_routes(found, alone)


def judge_pairs(
    questions: Sequence[Question], routes: Mapping[str, Histogram], edges: Sequence[float], times: float, least: int
) -> TimingEvidence:
    """`routes`: histograms of the ratio of each pair."""

    def judged(histograms: Sequence[Histogram]) -> TimingEvidence:
        of = sum(map(sum, histograms))
        parts = [
            part_of(each, sum(_beyond(each.side, one, edges, times, 1 / times) for one in histograms), of)
            for each in questions
        ]
        return judge(parts, least)

    alone = {
        name: tuple(part for part in one.parts if part.is_beyond)
        for name, route in routes.items()
        if (one := judged([route])).verdict is TimingVerdict.BEYOND
    }
    return _with_routes(judged(list(routes.values())), alone)


def _with_routes(found: TimingEvidence, alone: Mapping[str, tuple[BeyondPart, ...]]) -> TimingEvidence:
    verdict = TimingVerdict.BEYOND if alone else found.verdict
    return TimingEvidence(verdict, found.parts, found.answers, found.least, found.legacy, alone)


def strata(routes: Sequence[Measured]) -> list[Measured]:
    """Routes with enough answers of legacy each by itself; the others together."""
    own = [one for one in routes if sum(one.legacy) >= LEAST_LEGACY]
    rest = [one for one in routes if sum(one.legacy) < LEAST_LEGACY]
    if not rest:
        return own
    summed = Measured(*([sum(bins) for bins in zip(*side, strict=True)] for side in zip(*rest, strict=True)))
    return [*own, summed]


def _judged(
    questions: Sequence[Question], routes: Sequence[Measured], edges: Sequence[float], ratio: Ratio, least: int
) -> TimingEvidence:
    """A stratum without enough answers of legacy has nothing to be compared with."""
    comparable = [one for one in routes if sum(one.legacy) >= LEAST_LEGACY]
    of = sum(map(sum, (one.new for one in comparable)))
    parts = [
        part_of(each, sum(_beyond_legacy(each, one, edges, ratio) for one in comparable), of) for each in questions
    ]
    return judge(parts, least, sum(sum(one.legacy) for one in routes))


def _beyond_legacy(question: Question, one: Measured, edges: Sequence[float], ratio: Ratio) -> float:
    usual = quantile(one.legacy, edges, question.quantile)
    high = max(usual * ratio.times, usual + ratio.slack)
    return _beyond(question.side, one.new, edges, high, min(usual / ratio.times, usual - ratio.slack))


def _beyond(side: Beyond, counts: Histogram, edges: Sequence[float], high: float, low: float) -> float:
    return above(counts, edges, high) if side is Beyond.ABOVE else sum(counts) - above(counts, edges, low)


def quantile(counts: Histogram, edges: Sequence[float], part: float) -> float:
    """The value below which that part lies; within a bin by equal ratios. 0 without counts."""
    wanted, sums = part * sum(counts), list(accumulate(counts))
    if not wanted:
        return 0.0
    at = min(bisect_left(sums, wanted), len(counts) - 1)
    low, high = _ends(at, edges)
    inside = (wanted - sums[at] + counts[at]) / counts[at]
    return low * (high / low) ** inside if low > 0 else low + (high - low) * inside


def above(counts: Histogram, edges: Sequence[float], value: float) -> float:
    """How many lie above the value; all lie above a negative one."""
    if value < 0:
        return sum(counts)
    at = bisect_left(edges, value)
    low, high = _ends(at, edges)
    return sum(counts[at + 1 :]) + counts[at] * (1 - min(_inside(value, low, high), 1.0))


def _inside(value: float, low: float, high: float) -> float:
    """Which part of the bin lies below the value, by equal ratios as in `quantile`."""
    if low > 0:
        return math.log(value / low) / math.log(high / low)
    return value / high if high > 0 else 1.0


def _ends(at: int, edges: Sequence[float]) -> tuple[float, float]:
    """Of a bin; the last one is as wide as the one before."""
    low = edges[at - 1] if at else 0.0
    return low, edges[at] if at < len(edges) else low * edges[-1] / edges[-2]
