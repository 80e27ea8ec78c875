"""Rule 2's vectors of gates.md, and what persists."""

import json
from dataclasses import replace

import pytest

from strangler_gateway.evidence.cards import Advice, Cards, Row
from strangler_gateway.evidence.group_cards import GroupCards
from strangler_gateway.evidence.legacy_windows import LegacyWindows, expected_failures
from strangler_gateway.table.routes import BreachRules


@pytest.mark.parametrize(
    ("n600", "f600", "n20", "f20", "expected"),
    [
        (6000, 60, 200, 2, 0.02),
        (0, 0, 0, 0, 0.02),
        (600, 12, 20, 0, 0.03091),
        (6000, 60, 200, 100, 0.6),
        (100_000, 0, 2000, 0, 0.01),
    ],
)
def test_twice_of_what_fails_on_legacy_is_expected(n600: int, f600: int, n20: int, f20: int, expected: float) -> None:
    assert expected_failures(n600, f600, n20, f20) == pytest.approx(expected, abs=1e-5)


def test_the_windows_are_the_last_61_bins_and_the_last_two() -> None:
    windows = LegacyWindows()
    windows.add(300, 500, 10.0)
    seen = []
    for _ in range(61):
        windows.add(0, 500, 10.0)
        seen.append(windows.expected())
    assert seen[0] == pytest.approx(2 * 300 / 1020)
    assert seen[1] == pytest.approx(2 * 305 / 2000)
    assert seen[59] == pytest.approx(2 * 305 / (61 * 500 + 500))
    assert seen[60] == 0.01


@pytest.mark.parametrize(
    ("tick", "expected", "hard", "soft", "advice"),
    [
        ((3, 3, 0, 27), 0.01, 12.745, 5.375, Advice.OK),
        ((4, 4, 0, 36), 0.01, 16.994, 7.167, Advice.ROLLBACK),
        ((5, 5, 0, 5), 0.01, 21.242, 8.959, Advice.PROBE),
        ((5, 5, 0, 6), 0.01, 21.242, 8.959, Advice.ROLLBACK),
        ((10, 10, 88, 90), 0.6, 1.542, 0.800, Advice.OK),
        ((0, 8, 0, 72), 0.01, 0.0, 0.0, Advice.OK),
        ((500, 500, 0, 0), 0.01, 40.0, 40.0, Advice.PROBE),
    ],
)
def test_the_points_of_one_second(tick: Row, expected: float, hard: float, soft: float, advice: Advice) -> None:
    cards = Cards.empty()
    found = cards.tick(tick, expected, 1.0)
    assert cards.hard.score == pytest.approx(hard, abs=0.001)
    assert cards.soft.score == pytest.approx(soft, abs=0.001)
    assert (found.advice, found.score) == (advice, cards.hard.score)
    assert found.seen == (tick if cards.hard.score else (0, 0, 0, 0))


def test_other_rules_count_otherwise() -> None:
    row: Row = (3, 4, 1, 50)
    for changed, hard, soft, advice in (
        ({}, 11.55, 5.32, Advice.OK),
        ({"points": 8}, 11.55, 5.32, Advice.ROLLBACK),
        ({"points": 8, "times": 7}, 11.55, 5.32, Advice.PROBE),
        ({"points": 8, "margin": 0.6}, 11.55, 5.32, Advice.PROBE),
        ({"points": 8, "hard": 0.1}, 6.81, 5.32, Advice.OK),
        ({"points": 8, "hard": 0.1, "above": 0.5}, 11.09, 11.09, Advice.ROLLBACK),
        ({"points": 2, "per_second": 1}, 2.89, 1.33, Advice.ROLLBACK),
    ):
        cards = Cards.empty()
        assert cards.tick(row, 0.01, 1.0, replace(BreachRules(), **changed)).advice is advice, changed
        assert (round(cards.hard.score, 2), round(cards.soft.score, 2)) == (hard, soft), changed


def test_a_group_goes_on_after_a_restart_where_it_was() -> None:
    cards = GroupCards()
    for _ in range(40):
        cards.tick({"read": (0, 10, 1, 90), "buy": (1, 1, 0, 9)}, 1.0)
    again = GroupCards.restored(json.loads(json.dumps(cards.snapshot())))
    rows: dict[str, Row] = {"read": (1, 10, 0, 90), "buy": (1, 1, 0, 9)}
    one, other = cards.tick(rows, 1.0), again.tick(rows, 1.0)
    assert (one.advice, one.route) == (other.advice, other.route) == (Advice.ROLLBACK, None)
    assert other.found.score == pytest.approx(one.found.score, abs=1e-4)


def test_one_route_that_breaks_in_a_busy_group_is_named() -> None:
    cards = GroupCards()
    for _ in range(5):
        found = cards.tick({"read": (0, 100, 0, 900), "buy": (1, 1, 0, 9)}, 1.0)
    assert (found.advice, found.route) == (Advice.ROLLBACK, "buy")
    assert found.says == "5 of 5 requests to the new side failed within 5 s (buy 5), 0 of 45 on legacy in the same time"
    assert cards.calm() == ["read"]


def test_users_count_again_on_a_route_once_it_and_the_group_are_at_zero() -> None:
    cards = GroupCards()
    cards.tick({"read": (0, 3, 0, 30), "buy": (2, 2, 0, 9)}, 1.0)
    assert cards.calm() == []
    for _ in range(200):
        cards.tick({"read": (0, 3, 0, 30), "buy": (0, 0, 0, 9)}, 1.0)
    assert cards.calm() == ["read"]


def test_a_shared_outage_that_only_the_group_shows_excuses_a_route() -> None:
    """Essential, says gates.md: the route itself has no request on legacy in these seconds."""
    cards = GroupCards()
    for _ in range(20):
        found = cards.tick({"read": (0, 0, 50, 90), "buy": (1, 2, 0, 0)}, 1.0)
    assert found.advice is Advice.OK
