"""Which instances are drawn: two different ones, each as often as its weight says."""

import random
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from strangler_gateway.upstream.balancing.choice import taking_part, two_of, weight

DRAWN = st.floats(0, 1, exclude_max=True)


@given(st.integers(2, 50), DRAWN)
def test_two_different_ones_are_drawn(count: int, drawn: float) -> None:
    first, second = two_of(count, lambda: drawn)
    assert first != second
    assert {first, second} <= set(range(count))


def test_each_pair_is_drawn_as_often_as_any_other() -> None:
    draw = random.Random(1).random
    drawn = Counter(frozenset(two_of(4, draw)) for _ in range(6000))
    assert len(drawn) == 6
    assert all(abs(times - 1000) < 150 for times in drawn.values())


@given(st.floats(0, 1000), st.floats(0, 1000), st.floats(0, 60))
def test_the_weight_grows_with_the_age_up_to_one(age_s: float, older_s: float, slow_start_s: float) -> None:
    younger, older = sorted((age_s, older_s))
    assert 0.1 <= weight(younger, slow_start_s) <= weight(older, slow_start_s) <= 1.0
    assert weight(slow_start_s, slow_start_s) == 1.0


@given(st.lists(st.floats(0.1, 1.0), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_somebody_takes_part_always_and_whoever_has_its_whole_weight(
    weights: list[float], random: random.Random
) -> None:
    chosen = taking_part(range(len(weights)), weights, random.random)
    assert chosen
    assert {at for at, part in enumerate(weights) if part == 1.0} <= set(chosen) <= set(range(len(weights)))


def test_a_newcomer_takes_part_as_often_as_its_weight_says() -> None:
    draw = random.Random(1).random
    times = sum("new" in taking_part(("old", "new"), (1.0, 0.3), draw) for _ in range(2000))
    assert abs(times - 600) < 80
