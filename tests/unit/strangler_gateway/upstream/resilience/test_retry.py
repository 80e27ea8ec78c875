"""Retries stay within their budget, and a request that killed a connection is not sent again."""

from strangler_gateway.upstream.resilience.retry import ConnectionKillers, RetryBudget


def test_without_traffic_the_floor_is_what_may_be_spent() -> None:
    budget = RetryBudget(part=0.2, floor=3)
    assert [budget.spend(1.0) for _ in range(4)] == [True, True, True, False]


def test_a_fifth_of_the_recent_requests_may_be_retried_on_top() -> None:
    budget = RetryBudget(part=0.2, floor=0)
    for _ in range(50):
        budget.request(100.0)
    assert sum(budget.spend(100.0) for _ in range(50)) == 10


def test_spent_retries_come_back_when_the_window_has_passed() -> None:
    budget = RetryBudget(part=0.0, floor=1)
    assert budget.spend(0.0)
    assert not budget.spend(9.0)
    assert budget.spend(10.5)


def test_the_same_request_is_a_killer_the_second_time_within_the_window() -> None:
    killers = ConnectionKillers()
    assert not killers.note(b"GET", b"/a", 0.0)
    assert not killers.note(b"GET", b"/b", 1.0)
    assert killers.note(b"GET", b"/a", 2.0)
    assert not killers.note(b"GET", b"/a", 20.0)


def test_what_is_remembered_of_killers_is_bounded() -> None:
    killers = ConnectionKillers()
    for number in range(5000):
        killers.note(b"GET", b"/%d" % number, 0.0)
    assert not killers.note(b"GET", b"/0", 1.0)
    assert killers.note(b"GET", b"/4999", 1.0)
