"""Rates of routes.yaml."""

import pytest

from strangler_gateway.table.rules.rate import parse_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("100/minute", (100, 60)),
        ("5 per 10 seconds", (5, 10)),
        ("1/hour", (1, 3600)),
        ("7/2 days", (7, 172800)),
        (" 3PER 2 Months ", (3, 5184000)),
        ("9/year", (9, 31104000)),
    ],
)
def test_a_rate_is_an_amount_in_a_window_of_seconds(text: str, rate: tuple[int, int]) -> None:
    assert parse_rate(text) == rate


@pytest.mark.parametrize(
    "text",
    ["", "many", "5", "0/minute", "5/0 seconds", "5/fortnight", "-1/second", "1/second; 5/minute", f"{'9' * 99}/day"],
)
def test_a_rate_that_cannot_be_meant_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"rate .* (cannot be read|allows no request)"):
        parse_rate(text)
