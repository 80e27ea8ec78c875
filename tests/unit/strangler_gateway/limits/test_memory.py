"""Counters in memory stay few, and forgetting helps nobody over a limit."""

from strangler_gateway.limits.memory import MemoryCounters
from strangler_gateway.table.rules.rate import Window
from tests.support.gateway.exchanges import Clock

TWO = (Window(2, 2, 60_000_000),)


def test_a_flood_of_made_up_callers_forgets_the_flood_and_never_who_is_over_a_limit() -> None:
    counters = MemoryCounters(Clock(), 20)
    for _ in range(2):
        assert counters.take(TWO, b"busy").wait_us == 0
    for n in range(1_000):
        assert counters.take(TWO, b"%d" % n).wait_us == 0
        assert counters.take(TWO, b"busy").wait_us > 0
    assert counters.forgotten == 981


def test_many_who_are_over_a_limit_do_not_stand_in_line_to_be_forgotten() -> None:
    counters, busy = MemoryCounters(Clock(), 200), [b"busy %d" % n for n in range(40)]
    for name in busy * 2:
        assert counters.take(TWO, name).wait_us == 0
    for n in range(2_000):
        counters.take(TWO, b"%d" % n)
    assert sum(counters.take(TWO, name).wait_us > 0 for name in busy) >= 20


def test_the_callers_stay_as_many_also_where_all_are_over_their_limits() -> None:
    counters = MemoryCounters(Clock(), 3)
    for name in (b"a", b"b", b"c", b"d"):
        assert [counters.take(TWO, name).wait_us > 0 for _ in range(3)] == [False, False, True]
    assert counters.forgotten == 1
    assert all(counters.take(TWO, name).wait_us for name in (b"b", b"c", b"d"))


def test_whose_window_has_ended_is_forgotten_before_all_others() -> None:
    clock = Clock()
    counters = MemoryCounters(clock, 2)
    counters.take(TWO, b"old")
    counters.take(TWO, b"old")
    clock.now += 61
    counters.take(TWO, b"young")
    counters.take(TWO, b"new")
    assert [counters.take(TWO, b"young").left[0][0], counters.take(TWO, b"new").left[0][0]] == [0, 0]
