"""The samples behind the pictures."""

from math import isnan

import pytest

from strangler_gateway.overview.ring import ALL, Ring, Sample, percentile


def test_a_ring_keeps_the_last_samples_and_knows_quiet_times() -> None:
    ring = Ring(3)
    for at in range(1, 6):
        ring.add(at, 1.0, {"items": Sample(at, 1), ALL: Sample(at, 1)} if at != 4 else {})
    assert [(at, one.legacy) for at, _, one in ring.samples("items", 0)] == [(3, 3), (4, 0), (5, 5)]
    assert [at for at, _, _ in ring.samples("items", 4)] == [5]
    assert [one.new for _, _, one in ring.samples("unknown", 0)] == [0, 0, 0]
    assert ring.latest(ALL, 2.0) == (2.0, Sample(5, 1))
    ring.keep(())
    assert [one.legacy for _, _, one in ring.samples("items", 0)] == [0, 0, 0]


@pytest.mark.parametrize(("bins", "part", "value"), [({1: 4}, 0.5, 1.5), ({0: 2, 1: 2}, 0.95, 1.9), ({2: 5}, 0.5, 2.0)])
def test_a_percentile_lies_within_its_bucket(bins: dict[int, int], part: float, value: float) -> None:
    assert percentile(bins, (1.0, 2.0), part) == pytest.approx(value)
    assert isnan(percentile({}, (1.0, 2.0), part))
