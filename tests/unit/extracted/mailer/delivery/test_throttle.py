"""The pace of one provider: rate and breaker, by a clock that the tests move."""

import pytest

from extracted.mailer.delivery.throttle import BreakerLimits, Throttle

BREAKER_LIMITS = BreakerLimits(failures=3, first_s=10, longest_s=40)


def throttle(rate_per_s: float | None = None) -> Throttle:
    return Throttle(rate_per_s, BREAKER_LIMITS)


def opened(at: float = 0.0) -> Throttle:
    made = throttle()
    for _ in range(3):
        assert made.admit(at) == 0
        made.missed(at)
    return made


def test_a_rate_lets_one_through_at_a_time_and_what_was_not_used_is_given_back() -> None:
    made = throttle(rate_per_s=10)
    assert [made.admit(now) for now in (0.0, 0.0, 0.05, 0.1, 0.1)] == pytest.approx([0, 0.1, 0.05, 0, 0.1])
    made.unused()
    assert [made.admit(0.1) for _ in range(2)] == pytest.approx([0, 0.1])


def test_failures_in_a_row_open_the_breaker_for_all_and_what_was_under_way_does_not_open_it_longer() -> None:
    made = opened(at=5.0)
    assert made.is_open
    assert made.admit(5.0) == 10
    made.missed(8.0)
    assert made.admit(14.0) == pytest.approx(1)
    made.reached()
    assert not made.is_open


def test_a_success_between_failures_keeps_it_closed() -> None:
    made = throttle()
    for _ in range(5):
        made.missed(0.0)
        made.missed(0.0)
        made.reached()
    assert not made.is_open
    assert made.admit(0.0) == 0


def test_one_sender_alone_tries_whether_the_provider_is_back_or_another_if_it_found_no_mail() -> None:
    made = opened()
    for _ in range(2):
        assert made.admit(10.0) == 0
        assert [made.admit(10.0 + n) > 0 for n in range(3)] == [True] * 3
        made.unused()
        assert made.is_open
    assert made.admit(10.0) == 0
    made.reached()
    assert not made.is_open
    assert [made.admit(14.0) for _ in range(3)] == [0, 0, 0]


def test_each_probe_that_fails_doubles_the_wait_up_to_a_bound() -> None:
    made, now, waits = opened(), 10.0, []
    for _ in range(4):
        assert made.admit(now) == 0
        made.missed(now)
        waits.append(made.admit(now))
        now += waits[-1]
    assert waits == [20, 40, 40, 40]
    assert made.admit(now) == 0
    made.reached()
    for _ in range(3):
        made.missed(now)
    assert made.admit(now) == 10


def test_a_probe_that_has_to_wait_for_the_rate_leaves_it_to_another() -> None:
    made = throttle(rate_per_s=0.05)
    assert made.admit(0.0) == 0
    for _ in range(3):
        made.missed(0.0)
    assert made.admit(10.0) == pytest.approx(10)
    assert made.admit(20.0) == 0
