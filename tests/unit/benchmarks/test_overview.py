"""The overview and the calls that it replaces, on a system that really runs."""

from pathlib import Path

import pytest

from benchmarks.gateway.overview import overview_vs_cascade


@pytest.mark.walk
def test_one_request_far_away_takes_less_time_than_the_calls_that_it_replaces(tmp_path: Path) -> None:
    assert 0 < overview_vs_cascade(tmp_path, rounds=1) < 1
