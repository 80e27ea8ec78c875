"""Rates become windows."""

import pytest

from strangler_gateway.table.rules.rate import Window, parse_rates, windows_of


@pytest.mark.parametrize(
    ("rate", "burst", "windows"),
    [
        ("100/minute", None, [(100, 100, 60_000_000)]),
        ("100/minute, 10/second", None, [(10, 10, 1_000_000), (100, 100, 60_000_000)]),
        ("10/second, 100/minute", 20, [(20, 10, 1_000_000), (100, 100, 60_000_000)]),
        ("100/minute", 5, [(5, 5, 3_000_000)]),
        ("7/second", 3, [(3, 3, 428_572)]),
        ("100/minute", 100, [(100, 100, 60_000_000)]),
        ("1000000/second", 1, [(1, 1, 1)]),
    ],
)
def test_a_burst_belongs_to_the_shortest_window_and_spreads_it_where_it_is_less(
    rate: str, burst: int | None, windows: list[tuple[int, int, int]]
) -> None:
    assert windows_of(parse_rates(rate), burst) == tuple(Window(*each) for each in windows)
