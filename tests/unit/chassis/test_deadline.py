"""Until when an answer is waited for: what the field says, and what is not begun any more."""

import asyncio
from collections.abc import Iterator, Sequence
from math import inf

import pytest

from chassis import deadline
from chassis.batcher import Batcher
from chassis.deadline import Deadline, DeadlinePassed


@pytest.fixture(autouse=True)
def nobody_waits() -> Iterator[None]:
    token = deadline.current.set(None)
    yield
    deadline.current.reset(token)


@pytest.mark.parametrize(
    ("values", "seconds"),
    [
        ([b"1500"], 1.5),
        ([b" 0 "], 0.0),
        ([b"999999999"], 999999.999),
        ([], None),
        ([b"1", b"2"], None),
        ([b"1000000000"], None),
        ([b"-1"], None),
        ([b"1.5"], None),
        ([b""], None),
        ([b"\xb2"], None),
    ],
)
def test_one_number_of_milliseconds_is_a_deadline_and_nothing_else_is(
    values: list[bytes], seconds: float | None
) -> None:
    fields = [(b"strangler-timeout-ms", value) for value in values]
    assert deadline.timeout_s([(b"x", b"1"), *fields]) == seconds


def test_what_nobody_waits_for_is_not_begun_and_what_has_begun_goes_on() -> None:
    now, gone = [0.0], [False]
    late = Deadline(5.0, lambda: gone[0], lambda: now[0])
    deadline.current.set(late)
    deadline.check()
    now[0] = 5.0
    with pytest.raises(DeadlinePassed, match="the deadline has passed"):
        deadline.begin()
    now[0], gone[0] = 4.0, True
    with pytest.raises(DeadlinePassed, match="the client has gone"):
        deadline.check()
    gone[0] = False
    deadline.begin()
    now[0], gone[0] = 9.0, True
    deadline.begin()
    deadline.check()


def test_waits_are_bounded_by_what_is_left_and_another_service_is_told() -> None:
    assert (deadline.left_s(), deadline.within(3.0)) == (inf, 3.0)
    deadline.current.set(Deadline(5.0, clock=lambda: 3.5))
    assert (deadline.left_s(), deadline.within(3.0), deadline.within(1.0)) == (1.5, 1.5, 1.0)
    deadline.current.set(Deadline(5.0, clock=lambda: 7.0))
    assert deadline.left_s() == 0.001


async def test_a_question_of_nobody_is_not_asked_and_those_of_others_are() -> None:
    asked: list[int] = []

    async def ask(questions: Sequence[int]) -> list[int]:
        asked.extend(questions)
        return asked

    batcher = Batcher[int, int](ask)

    async def one(number: int, at: float) -> int:
        deadline.current.set(Deadline(at))
        return await batcher.answer(number)

    results = await asyncio.gather(one(1, -inf), one(2, inf), return_exceptions=True)
    assert asked == [2]
    assert isinstance(results[0], DeadlinePassed)
    assert results[1] == 2
