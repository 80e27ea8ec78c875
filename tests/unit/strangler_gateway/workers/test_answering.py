"""The parent's answers: who may write now, over all workers, also after one of them has ended."""

import asyncio
from collections.abc import Callable

import pytest

from strangler_gateway.workers.answering import Answers

ALICE = ["points", "alice"]


def asked(answers: Answers, worker: int, wait_s: float = 5.0) -> list[object]:
    told: list[object] = []
    answers.turn(worker, {"key": ALICE, "wait_s": wait_s}, told.append)
    return told


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0)


async def test_one_worker_writes_at_a_time_and_the_next_one_when_it_has_ended() -> None:
    answers = Answers()
    first, second = asked(answers, 1), asked(answers, 2)
    assert (first, second) == ([True], [])
    answers.release(2, {"key": ALICE})  # not its own
    await asyncio.sleep(0.01)
    assert second == []
    answers.release(1, {"key": ALICE})
    await until(lambda: second)
    assert second == [True]


async def test_the_turn_of_a_worker_that_died_goes_on_and_its_own_waiting_ends() -> None:
    answers = Answers()
    first, waiting, other = asked(answers, 1), asked(answers, 1), asked(answers, 2)
    answers.ended(1)
    await until(lambda: other)
    assert (first, waiting, other) == ([True], [], [True])
    answers.release(2, {"key": ALICE})
    assert asked(answers, 3) == [True]


async def test_a_turn_that_does_not_come_in_time_is_refused() -> None:
    answers = Answers()
    asked(answers, 1)
    late = asked(answers, 2, wait_s=0.01)
    await until(lambda: late)
    assert late == [False]


@pytest.mark.parametrize("limit", [1, 3])
def test_requests_of_all_workers_count_together(limit: int) -> None:
    answers, told = Answers(), list[object]()
    for _ in range(limit + 1):
        answers.limit({"key": "r|a", "windows": [[limit, limit, 60_000_000]]}, told.append)
    assert [bool(one[0]) for one in told if isinstance(one, list)] == [False] * limit + [True]
