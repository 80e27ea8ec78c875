"""The breaker opens for what it should, probes with few calls, and closes again; its clock is a number."""

from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from strangler_gateway.table.rules.resilience import NO_BREAKER, BreakerRules
from strangler_gateway.upstream.resilience.breaker import BreakerState, CallWindow, CircuitBreaker
from tests.support.effort import examples

RULES = BreakerRules(min=10, open_s=5, longest_s=15, probes=2)
PARALLEL = st.lists(st.tuples(st.sampled_from(["call", "good", "bad", "lost", "gone"]), st.floats(0, 3)), max_size=120)


def breaker(rules: BreakerRules = RULES) -> tuple[CircuitBreaker, list[str]]:
    log: list[str] = []
    return CircuitBreaker(rules, lambda state, what: log.append(f"{state}: {what}")), log


def calls(one: CircuitBreaker, number: int, now: float, *, error: bool = False, seconds: float = 0.01) -> None:
    for _ in range(number):
        one.answered(one.admit(now), error, seconds, now)


def opened(rules: BreakerRules = RULES, now: float = 0.0) -> tuple[CircuitBreaker, list[str]]:
    one, log = breaker(rules)
    calls(one, rules.min, now, error=True)
    return one, log


@pytest.mark.parametrize(
    ("rules", "good", "bad", "seconds", "opens"),
    [
        (RULES, 5, 5, 0.01, True),
        (RULES, 6, 5, 0.01, False),
        (RULES, 4, 5, 0.01, False),
        (BreakerRules(), 0, 99, 0.01, False),
        (BreakerRules(), 0, 100, 0.01, True),
        (BreakerRules(errors=0, slow_s=2, slow_calls=0.25, min=8), 6, 2, 3.0, True),
        (BreakerRules(errors=0, slow_s=2, slow_calls=0.25, min=8), 6, 2, 2.0, False),
        (BreakerRules(errors=0, slow_s=2, slow_calls=0.25, min=8), 7, 2, 3.0, False),
        (NO_BREAKER, 0, 1000, 99.0, False),
    ],
)
def test_it_opens_by_the_part_of_bad_calls_once_there_are_enough(
    rules: BreakerRules, good: int, bad: int, seconds: float, opens: bool
) -> None:
    one, _ = breaker(rules)
    calls(one, good, 1.0)
    calls(one, bad, 1.0, error=rules.errors > 0, seconds=seconds)
    assert (one.state is BreakerState.OPEN) == opens
    assert one.admits(1.0) != opens


def test_what_happened_before_the_window_does_not_count() -> None:
    one, _ = breaker()
    calls(one, 9, 0.0, error=True)
    calls(one, 9, 11.1, error=True)
    assert one.state == "closed"
    calls(one, 1, 12.0, error=True)
    assert one.state == "open"


def test_connection_failures_in_a_row_open_it_and_an_answer_begins_anew() -> None:
    one, _ = breaker(BreakerRules(failures=3, errors=0))
    for kind in ("lost", "lost", "answer", "lost", "lost", "no answer", "lost", "lost"):
        if kind == "answer":
            calls(one, 1, 0.0, error=True)
        else:
            one.failed(one.admit(0.0), kind == "lost", 0.0)
    assert one.state == "closed"
    one.failed(one.admit(0.0), True, 0.0)
    assert one.state == "open"


def test_after_the_open_time_a_few_probes_go_and_when_all_have_succeeded_it_closes() -> None:
    one, log = opened()
    assert not one.admits(4.9)
    tickets = [one.admit(5.0) for _ in range(4)]
    assert [bool(ticket) for ticket in tickets] == [True, True, False, False]
    for ticket in tickets[:2]:
        one.answered(ticket, False, 0.01, 5.1)
    assert one.state == "closed"
    assert log == [
        "open: 10 of 10 calls in 10 s failed; no call for 5 s, then 2 calls at once as probes",
        "half-open: 5 s have passed; 2 calls at once as probes",
        "closed: 2 probes succeeded; all calls go",
    ]


def test_each_failed_probe_doubles_the_open_time_up_to_its_bound_and_a_recovery_resets_it() -> None:
    one, _ = opened()
    now, times = 0.0, []
    for _ in range(4):
        times.append(one.open_until - now)
        now = one.open_until
        one.failed(one.admit(now), False, now)
    calls(one, 2, one.open_until)
    assert one.state == "closed"
    now = one.open_until
    calls(one, RULES.min, now, error=True)
    assert [*times, one.open_until - now] == [5, 10, 15, 15, 5]


def test_a_probe_whose_client_has_gone_makes_room_and_one_that_hangs_does_so_after_the_open_time() -> None:
    one, _ = opened()
    gone, hanging = one.admit(5.0), one.admit(5.0)
    assert not one.admits(5.0)
    one.given_up(gone)
    assert one.admit(6.0)
    assert not one.admits(10.9)
    assert one.admit(11.0) == hanging


def test_a_call_of_before_it_opened_says_nothing_about_the_probes() -> None:
    one, _ = breaker()
    late = one.admit(0.0)
    calls(one, RULES.min, 0.0, error=True)
    probe = one.admit(5.0)
    one.failed(late, False, 5.1)
    one.given_up(late)
    assert one.state == "half-open"
    one.answered(probe, False, 0.1, 5.2)
    calls(one, 1, 5.3)
    assert one.state == "closed"


@settings(max_examples=examples(400))
@given(PARALLEL)
def test_however_calls_overlap_it_admits_again_after_the_open_time_and_never_more_probes_than_it_may(
    steps: list[tuple[str, float]],
) -> None:
    one, log = breaker(BreakerRules(failures=3, errors=0.5, min=4, slow_s=1, open_s=5, longest_s=15, probes=2))
    out: deque[int] = deque()
    now, half_open_calls = 0.0, 0
    for what, passed in steps:
        now += passed
        if what == "call":
            could = one.admits(now)
            ticket = one.admit(now)
            assert bool(ticket) == could
            if ticket:
                out.append(ticket)
            half_open_calls = half_open_calls + bool(ticket) if one.state is BreakerState.HALF_OPEN else 0
            assert half_open_calls <= 2 + 2 * sum(passed for _, passed in steps) / 5
        elif out:
            end(one, what, out.popleft(), now)
        assert one.state is not BreakerState.OPEN or one.open_until - now <= 15
    while out:
        end(one, "gone", out.popleft(), now)
    now = max(now + 5, one.open_until)
    for _ in range(4):
        calls(one, 1, now)
    assert one.state == "closed"
    assert one.opened == sum(line.startswith("open") for line in log)


def end(one: CircuitBreaker, how: str, ticket: int, now: float) -> None:
    if how == "gone":
        one.given_up(ticket)
    elif how == "lost":
        one.failed(ticket, True, now)
    else:
        one.answered(ticket, how == "bad", 0.1, now)


@settings(max_examples=examples(200))
@given(st.lists(st.tuples(st.floats(0, 4), st.booleans(), st.booleans()), max_size=80))
def test_the_window_counts_what_the_last_seconds_had_give_or_take_one_bucket(
    steps: list[tuple[float, bool, bool]],
) -> None:
    window, now, seen = CallWindow(10.0), 0.0, []
    for passed, failed, slow in steps:
        now += passed
        window.add(failed, slow, now)
        seen.append((now, failed, slow))
        found = window.totals(now)
        least = [row for row in seen if now - row[0] < 9.0]
        most = [row for row in seen if now - row[0] <= 20.0]
        for at, figure in enumerate(found):
            low, high = (len(rows) if at == 0 else sum(row[at] for row in rows) for rows in (least, most))
            assert low <= figure <= high
    assert window.totals(now + 30) == (0, 0, 0)
