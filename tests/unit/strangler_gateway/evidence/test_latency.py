"""Rule 3 against the vectors of gates.md, and with durations as they are: skewed, over routes of their own speed."""

import random
from bisect import bisect_left
from itertools import pairwise

import pytest

from strangler_gateway.evidence.latency import (
    LEAST_LEGACY,
    PAIRS,
    SIZE_PAIRS,
    SIZES,
    SLOW,
    SLOW_PAIRS,
    Measured,
    Ratio,
    TimingEvidence,
    TimingVerdict,
    above,
    judge,
    judge_histograms,
    judge_pairs,
    part_of,
    quantile,
)
from strangler_gateway.telemetry.histogram import BYTES, RATIOS, SECONDS, coarse, ratio

PASS, WAIT, BEYOND = TimingVerdict.PASS, TimingVerdict.WAIT, TimingVerdict.BEYOND


def histogram(values: list[float], edges: tuple[float, ...] = SECONDS) -> list[int]:
    counts = [0] * (len(edges) + 1)
    for value in values:
        counts[bisect_left(edges, value)] += 1
    return counts


def durations(seed: int, median_s: float, number: int) -> list[float]:
    draw = random.Random(seed)
    return [median_s * draw.lognormvariate(0, 0.6) for _ in range(number)]


def measured(times: float, number: int = 1800, median_s: float = 0.02, legacy: int = 9000) -> Measured:
    new = [times * one for one in durations(1, median_s, number)]
    return Measured(histogram(durations(2, median_s, legacy)), histogram(new))


def judged(**routes: Measured) -> TimingEvidence:
    return judge_histograms(SLOW, routes, SECONDS, Ratio(1.2, 0.001), 1800)


@pytest.mark.parametrize(
    ("slow", "of", "verdict"), [(100, 300, PASS), (160, 300, WAIT), (200, 300, BEYOND), (299, 299, WAIT)]
)
def test_pairs_are_those_of_the_vectors(slow: int, of: int, verdict: TimingVerdict) -> None:
    assert judge([part_of(PAIRS, slow, of)], 300).verdict is verdict
    ratios = histogram([1.21] * slow + [1.2] * (of - slow), RATIOS)
    assert judge_pairs(SLOW_PAIRS, {"r": ratios}, RATIOS, 1.2, 300).verdict is verdict


@pytest.mark.parametrize(("times", "verdict"), [(1.0, PASS), (0.5, PASS), (1.2, WAIT), (1.3, BEYOND), (3.0, BEYOND)])
def test_thirty_per_cent_more_are_found_and_twenty_are_the_margin(times: float, verdict: TimingVerdict) -> None:
    assert judged(r=measured(times)).verdict is verdict


@pytest.mark.parametrize("median_s", [0.00011, 0.004, 0.0176, 7.0])
def test_answers_that_all_take_the_same_time_are_judged_right(median_s: float) -> None:
    def same(times: float) -> Measured:
        return Measured(histogram([median_s] * 9000), histogram([times * median_s] * 1800))

    def found(times: float) -> TimingVerdict:
        return judge_histograms(SLOW, {"r": same(times)}, SECONDS, Ratio(1.2), 1800).verdict

    assert (found(1.0), found(1.05), found(1.35)) == (PASS, PASS, BEYOND)


def test_a_slow_tail_alone_is_slow() -> None:
    new = durations(1, 0.02, 1800)
    tail = Measured(histogram(durations(2, 0.02, 9000)), histogram([one * (4 if one > 0.04 else 1) for one in new]))
    assert [part.question.name for part in judged(r=tail).parts if part.is_beyond] == ["p95"]


def test_each_route_is_compared_with_its_own_legacy_and_one_slow_route_is_named() -> None:
    fast, slow_by_nature = measured(1.0, 1800, 0.002), measured(1.0, 18_000, 0.2)
    assert judged(fast=fast, slow=slow_by_nature).verdict is PASS
    found = judged(fast=measured(3.0, 1800, 0.002), slow=slow_by_nature)
    assert (found.verdict, list(found.routes)) == (BEYOND, ["fast"])


def test_nothing_is_said_without_enough_answers_of_both_sides() -> None:
    assert judged(r=measured(3.0, 1799)).verdict is WAIT
    assert judged(r=measured(3.0, legacy=LEAST_LEGACY - 1)).verdict is WAIT
    assert judged().verdict is WAIT
    small = {f"r{n}": measured(3.0, 900, legacy=LEAST_LEGACY // 2) for n in range(2)}
    assert judged(**small).verdict is BEYOND


def test_a_millisecond_is_no_difference() -> None:
    assert judged(r=Measured(histogram([0.001] * 900), histogram([0.0017] * 1800))).verdict is PASS
    assert (ratio(0.001, 0.0019, 0.001), ratio(0.01, 0.02, 0.001), ratio(1000, 1064)) == (1.0, 2.0, 1.0)


@pytest.mark.parametrize(
    ("new", "beyond"),
    [
        ([1000] * 1800, []),
        ([1500] * 1800, ["p50", "p95"]),
        ([600] * 1800, ["smaller_p50", "smaller_p5"]),
        ([1000] * 1600 + [0] * 200, ["smaller_p5"]),
    ],
)
def test_larger_smaller_and_truncated_answers_are_found(new: list[float], beyond: list[str]) -> None:
    sizes = {"r": Measured(histogram([1000.0] * 900, BYTES), histogram(new, BYTES))}
    found = judge_histograms(SIZES, sizes, BYTES, Ratio(1.2, 64), 1800)
    assert [part.question.name for part in found.parts if part.is_beyond] == beyond
    assert found.verdict is (BEYOND if beyond else PASS)


def test_pairs_of_other_sizes_are_found_both_ways() -> None:
    for times, beyond in ((1.0, []), (1.5, ["pairs"]), (0.5, ["smaller_pairs"])):
        found = judge_pairs(SIZE_PAIRS, {"r": histogram([times] * 300, RATIOS)}, RATIOS, 1.2, 300)
        assert [part.question.name for part in found.parts if part.is_beyond] == beyond


def test_empty_answers_are_of_the_same_size() -> None:
    empty = {"r": Measured(histogram([0.0] * 900, BYTES), histogram([0.0] * 1800, BYTES))}
    assert judge_histograms(SIZES, empty, BYTES, Ratio(1.2, 64), 1800).verdict is PASS


def test_quantiles_lie_within_a_tenth_and_bins_add_up_to_prometheus_buckets() -> None:
    values = sorted(durations(3, 0.05, 5000))
    counts = histogram(values)
    for part in (0.05, 0.5, 0.95):
        assert quantile(counts, SECONDS, part) == pytest.approx(values[int(part * 5000)], rel=0.03)
        assert above(counts, SECONDS, quantile(counts, SECONDS, part)) == pytest.approx(5000 * (1 - part))
    assert max(b / a for a, b in pairwise(SECONDS)) <= 1.25
    assert coarse(counts, SECONDS, (0.025, 0.1)) == [
        sum(one <= 0.025 for one in values),
        sum(0.025 < one <= 0.1 for one in values),
        sum(one > 0.1 for one in values),
    ]
