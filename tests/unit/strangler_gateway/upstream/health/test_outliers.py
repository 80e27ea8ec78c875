"""Which instance is an outlier, and how long it is left out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from strangler_gateway.table.rules.balance import EjectRules
from strangler_gateway.upstream.health.outliers import MAX_OUT_S, Recent, is_outlier, may_be_ejected, out_for_s

RULES = EjectRules()
COUNTS = st.integers(0, 10_000)
RECENT = st.builds(lambda requests, errors: Recent(max(requests, errors), min(requests, errors)), COUNTS, COUNTS)


@pytest.mark.parametrize(
    ("in_a_row", "own", "others", "outlier"),
    [
        (4, Recent(4, 4), Recent(100, 0), False),
        (5, Recent(5, 5), Recent(100, 0), True),
        (5, Recent(1000, 5), Recent(2000, 0), True),
        (0, Recent(20, 10), Recent(40, 0), True),
        (0, Recent(19, 19), Recent(40, 0), False),
        (0, Recent(100, 49), Recent(100, 0), False),
        (5, Recent(100, 100), Recent(100, 100), False),
        (5, Recent(100, 100), Recent(100, 51), False),
        (5, Recent(100, 100), Recent(100, 50), True),
        (5, Recent(5, 5), Recent(), True),
    ],
)
def test_an_outlier_fails_often_and_twice_as_often_as_the_others(
    in_a_row: int, own: Recent, others: Recent, outlier: bool
) -> None:
    assert is_outlier(in_a_row, own, others, RULES) is outlier


@given(COUNTS, RECENT, RECENT)
def test_a_rule_of_0_never_trips(in_a_row: int, own: Recent, others: Recent) -> None:
    assert not is_outlier(in_a_row, own, others, EjectRules(failures=0, rate=0.0))


@given(st.integers(0, 10_000), st.integers(1, 50), RECENT)
def test_of_instances_that_do_alike_none_is_an_outlier(in_a_row: int, others: int, own: Recent) -> None:
    together = sum([own] * others, Recent())
    assert not (own.errors and is_outlier(in_a_row, own, together, RULES))


@given(st.integers(1, 100), st.floats(0, 1))
def test_ejections_leave_one_and_at_most_the_part_that_is_allowed(instances: int, max_part: float) -> None:
    rules, out = EjectRules(max_part=max_part), 0
    while may_be_ejected(out, instances, rules):
        out += 1
    assert out < instances
    assert out <= max(instances * max_part, 1)
    assert (out >= 1) == (instances > 1)


@given(st.integers(1, 10_000), st.floats(0.001, 86_400))
def test_the_time_out_doubles_up_to_five_minutes_or_what_the_file_says(times: int, out_s: float) -> None:
    rules = EjectRules(out_s=out_s)
    assert out_for_s(1, rules) == out_s
    assert out_for_s(times, rules) <= out_for_s(times + 1, rules) <= max(MAX_OUT_S, out_s)
    assert out_for_s(2, rules) in (2 * out_s, max(MAX_OUT_S, out_s))
