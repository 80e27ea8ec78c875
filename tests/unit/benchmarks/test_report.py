"""From rounds to ratios."""

import json

import pytest

from benchmarks.common.load import Load
from benchmarks.common.report import Measurements, Sample, figures, missed, percentile, ratio, summary


def rounds(*rates: float, p99_ms: float = 2.0, cpu_us: float | None = 20.0) -> list[Sample]:
    return [Sample(Load(round(rate), rate, 1.0, p99_ms), cpu_us) for rate in rates]


def test_a_ratio_is_the_median_of_the_rounds_and_not_the_ratio_of_the_medians() -> None:
    assert ratio([10, 40, 90], [10, 20, 100]) == 1.0


def test_a_peer_that_was_not_measured_gives_no_ratio() -> None:
    assert ratio([10.0], []) is None


def test_the_summary_holds_every_ratio_at_its_top_level() -> None:
    measured = Measurements(
        {
            "gateway": rounds(20_000, p99_ms=3.0),
            "naive": rounds(400),
            "nginx": rounds(40_000),
            "envoy": rounds(16_000, p99_ms=2.0, cpu_us=30.0),
        }
    )
    result = summary(measured)
    expected = {"vs_naive": 50.0, "vs_envoy": 1.25, "vs_nginx": 0.5, "vs_haproxy": None}
    assert {name: result[name] for name in expected} == expected
    assert result["p99_vs_envoy"] == 1.5
    assert result["cpu_vs_envoy"] == 0.667


def test_each_load_and_the_compiled_gateway_have_ratios_of_their_own() -> None:
    measured = Measurements(
        {"gateway": rounds(20_000), "compiled": rounds(40_000), "envoy": rounds(10_000)},
        {"gateway": rounds(6_000, p99_ms=4.0), "compiled": rounds(9_000), "envoy": rounds(5_000, p99_ms=5.0)},
    )
    result = summary(measured)
    expected = {
        **{"vs_envoy": 2.0, "compiled_vs_envoy": 4.0, "varied_vs_envoy": 1.2, "compiled_varied_vs_envoy": 1.8},
        **{"varied_p99_vs_envoy": 0.8, "compiled_varied_p99_vs_envoy": 0.4, "compiled_varied_vs_nginx": None},
    }
    assert {name: result[name] for name in expected} == expected


def test_a_download_ratio_above_one_means_that_the_gateway_is_faster() -> None:
    measured = Measurements(downloads={"gateway": [1.0, 1.0], "envoy": [2.0, 2.0]}, download_bytes=2**20)
    assert summary(measured)["download_vs_envoy"] == 2.0


def test_the_summary_of_nothing_is_json_with_nulls() -> None:
    assert json.loads(json.dumps(summary(Measurements())))["vs_envoy"] is None


def test_figures_are_medians_and_errors_are_added() -> None:
    measured = Measurements({"nginx": [Sample(Load(1, rate, 1.0, 2.0, errors=1), None) for rate in (1, 5, 300)]})
    seen = figures("nginx", measured)
    assert seen is not None
    assert (seen["requests_per_s"], seen["errors"], seen["cpu_us"]) == (5, 3, None)


@pytest.mark.parametrize(("percent", "expected"), [(50, 5), (99, 10), (100, 10), (1, 1)])
def test_a_percentile_is_a_value_that_was_seen(percent: int, expected: int) -> None:
    assert percentile(list(range(10, 0, -1)), percent) == expected


def test_only_measured_targets_can_be_missed() -> None:
    assert missed({"vs_envoy": 0.5, "p99_vs_envoy": 1.0, "vs_naive": None}) == ["vs_envoy is 0.5, wanted at least 1.1"]


def test_a_tail_above_its_bound_is_missed() -> None:
    assert missed({"p99_vs_envoy": 1.3}) == ["p99_vs_envoy is 1.3, wanted at most 1.0"]
