"""Calls that wait: bounded, each leaves once, the newest first where the queue is old."""

from hypothesis import given, settings
from hypothesis import strategies as st

from strangler_gateway.upstream.resilience.call_queue import CallQueue
from tests.support.effort import examples


def queue(*waiters: int, most: int = 10, now: float = 0.0) -> CallQueue[int]:
    made = CallQueue[int](most, 1.0)
    for waiter in waiters:
        assert made.put(waiter, now)
    return made


def test_first_come_first_served_while_it_is_young() -> None:
    young = queue(1, 2, 3)
    assert [young.take(0.5) for _ in range(4)] == [1, 2, 3, None]


def test_the_newest_goes_first_once_the_oldest_has_waited_for_half_of_what_it_may() -> None:
    old = queue(1, 2, 3)
    old.put(4, 0.6)
    assert [old.take(0.6) for _ in range(2)] == [4, 3]
    assert list(old.overdue(1.0)) == [1, 2]


def test_a_queue_that_a_burst_has_made_old_becomes_young_again_though_as_many_come_as_go() -> None:
    old = queue(*range(100), most=200)
    for turn in range(800):
        old.put(1000 + turn, 0.6)
        assert old.take(0.6) is not None
    assert old.oldest_s(0.6) == 0.0


def test_in_an_overload_the_newest_goes_first_until_nobody_waits_though_the_queue_is_young_again() -> None:
    one = queue(1, 2)
    assert one.take(0.6) == 2
    one.put(3, 0.6)
    one.put(4, 0.7)
    assert one.remove(1)
    assert one.oldest_s(0.7) < 0.2
    assert [one.take(0.7) for _ in range(3)] == [4, 3, None]
    one.put(5, 0.8)
    one.put(6, 0.8)
    assert one.take(0.8) == 5


def test_in_an_overload_those_are_refused_at_once_for_whom_there_is_no_hope_the_oldest_first() -> None:
    one = queue(*range(130), most=200)
    for _ in range(30):
        one.take(0.5)
    assert list(one.overdue(0.6)) == []  # young until somebody goes who finds it old
    one.take(0.6)
    # In 0.6 s 31 have gone, so in 0.4 s there go 20.
    assert list(one.overdue(0.6)) == [*range(30, 109)]
    assert len(one) == 20


def test_who_waits_is_not_given_up_by_a_pace_that_is_not_known() -> None:
    slow = queue(*range(20), most=20)
    for _ in range(8):
        slow.take(0.9)
    assert list(slow.overdue(0.9)) == []


def test_several_go_in_a_turn_and_the_newest_first_if_the_queue_is_old_at_its_beginning() -> None:
    young, old = queue(1, 2, 3), queue(1, 2, 3)
    assert (list(young.turn(0.5, 2)), len(young)) == ([1, 2], 1)
    assert (list(old.turn(0.6, 2)), len(old)) == ([3, 2], 1)
    assert list(old.turn(0.6, 2)) == [1]


def test_who_comes_within_a_turn_may_go_in_it() -> None:
    one, gone = queue(1), list[int]()
    for waiter in one.turn(0.1, 2):
        gone.append(waiter)
        one.put(waiter + 1, 0.1)
    assert (gone, len(one)) == ([1, 2], 1)


def test_a_full_one_takes_nobody_and_who_leaves_makes_room() -> None:
    full = queue(1, 2, most=2)
    assert full.is_full
    assert not full.put(3, 0.1)
    assert full.remove(1)
    assert not full.is_full
    assert not full.remove(1)
    assert full.put(3, 0.1)
    assert [full.take(0.1) for _ in range(3)] == [2, 3, None]


def test_without_places_nobody_waits() -> None:
    assert not queue(most=0).put(1, 0.0)


@settings(max_examples=examples(400))
@given(st.lists(st.tuples(st.sampled_from(["put", "put", "take", "leave", "sweep"]), st.floats(0, 0.4)), max_size=100))
def test_no_waiter_is_lost_or_leaves_twice_and_none_waits_longer_than_it_may(steps: list[tuple[str, float]]) -> None:
    one, now = CallQueue[int](5, 1.0), 0.0
    since: dict[int, float] = {}
    for number, (what, passed) in enumerate(steps):
        now += passed
        if what == "put":
            assert one.put(number, now) == (len(since) < 5)
            if len(since) < 5:
                since[number] = now
        elif what == "take":
            taken = one.take(now)
            assert (taken is None) == (not since)
            if taken is not None:
                del since[taken]
        elif what == "leave" and since:
            assert one.remove(min(since))
            del since[min(since)]
        elif what == "sweep":
            overdue = list(one.overdue(now))
            assert overdue == [waiter for waiter, at in since.items() if now - at >= 1.0]
            for waiter in overdue:
                del since[waiter]
        assert len(one) == len(since) <= 5
        assert one.oldest_s(now) == (now - min(since.values()) if since else 0.0)
