"""The audit of `make chaos` finds what it is for."""

import pytest

from tests.faults.chaos.__main__ import is_over
from tests.faults.chaos.audit import Hold, Seen, Sent, violations

GONE = Sent("gw1", 5.0, 6.0, 0, error="reset")
WRITE = Sent("gw1", 5.0, 6.0, 201, "shop-1", "w1")


def forward(began: float, ended: float) -> Sent:
    return Sent("gw1", began, ended, 200, "shop-2")


@pytest.mark.parametrize(
    ("seen", "expected"),
    [
        (Seen(sent=[GONE]), "a safe request at gw1 was answered 0 reset"),
        (Seen(sent=[GONE], killed=[("gw2", 5.5, 5.6)]), "a safe request at gw1"),
        (Seen(sent=[GONE], killed=[("gw1", 6.5, 6.6)]), "a safe request at gw1"),
        (Seen(sent=[GONE], killed=[("gw1", 4.9, 5.1)]), ""),
        (Seen(sent=[Sent("gw1", 5.0, 6.0, 500, "shop-1")], failing=[("shop-1", 4.0, 6.5)]), ""),
        (Seen(sent=[Sent("gw1", 5.0, 6.0, 500, "shop-2")], failing=[("shop-1", 4.0, 6.5)]), "answered 500"),
        (Seen(sent=[Sent("gw1", 5.0, 6.0, 503, write="w1")]), ""),
        (Seen(sent=[Sent("gw1", 5.0, 6.0, 0, write="w1")]), "a write at gw1 was answered 0"),
        (Seen(sent=[WRITE], arrived={"w1": 1}), ""),
        (Seen(sent=[WRITE], arrived={"w1": 2}), "write w1 arrived 2 times"),
        (Seen(sent=[WRITE], arrived={"w2": 1}), "never arrived"),
        (Seen(sent=[forward(5, 6)], holds=[Hold("gw1", 4.0)]), "served shop-2 1.000 s after its rollback"),
        (Seen(sent=[forward(5, 6)], holds=[Hold("gw1", 5.5)]), ""),
        (Seen(sent=[forward(5, 6)], holds=[Hold("gw1", 4.0, until=5.5)]), ""),
        (Seen(sent=[forward(5, 6)], holds=[Hold("gw2", 4.0)]), ""),
        (Seen(sent=[Sent("gw1", 5.0, 6.0, 200, "monolith")], holds=[Hold("gw1", 4.0)]), ""),
    ],
)
def test_a_violation_is_found_and_nothing_else(seen: Seen, expected: str) -> None:
    found = violations(seen)
    assert bool(found) == bool(expected), found
    assert all(expected in line for line in found)


@pytest.mark.parametrize(
    ("at_s", "duration_s", "missing", "over"),
    [(59, 60, 0, False), (61, 60, 0, True), (61, 60, 1, False), (200, 120, 1, False), (16, 15, 9, True)],
)
def test_a_minute_has_every_kind_of_event(at_s: float, duration_s: float, missing: int, over: bool) -> None:
    assert is_over(at_s, duration_s, missing) == over
