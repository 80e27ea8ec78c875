"""Questions asked together: what is one call, what is the next, and whom a fault reaches."""

import asyncio
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from chassis.batcher import Batcher, GatherPace
from chassis.store import StoreUnavailable

GATHER_S = 0.05
PACE = GatherPace(GATHER_S, GATHER_S)


class Asked:
    """Doubles each number; `fault` may raise for those that are asked together. `gate`: a call waits for it."""

    def __init__(
        self,
        fault: Callable[[Sequence[int]], None] = lambda _: None,
        most: int = 100,
        pace: GatherPace = PACE,
        **options: Any,
    ) -> None:
        self.calls: list[list[int]] = []
        self._begun = asyncio.Queue[list[int]]()
        self.gate = asyncio.Event()
        self.gate.set()
        self.fault = fault
        self.together: Batcher[int, int] = Batcher(self._double, pace=pace, most=most, **options)

    async def _double(self, numbers: Sequence[int]) -> list[int]:
        self.calls.append([*numbers])
        self._begun.put_nowait([*numbers])
        await self.gate.wait()
        self.fault(numbers)
        return [2 * number for number in numbers]

    async def call(self) -> list[int]:
        """The next that begins."""
        async with asyncio.timeout(60):
            return await self._begun.get()

    async def all(self, *numbers: int) -> list[int | BaseException]:
        return await asyncio.gather(*(self.together.answer(one) for one in numbers), return_exceptions=True)


async def turns() -> None:
    """Of the loop: more than a call that does not wait needs to begin."""
    for _ in range(10):
        await asyncio.sleep(0)


async def test_what_is_asked_in_one_turn_goes_together_and_what_comes_soon_after_waits_for_the_next() -> None:
    asked = Asked(pace=GatherPace(1, 1))
    assert await asked.all(1, 2) == [2, 4]
    later = [asyncio.create_task(asked.together.answer(3))]
    await turns()
    assert asked.calls == [[1, 2]]
    later.append(asyncio.create_task(asked.together.answer(4)))
    assert await asyncio.gather(*later) == [6, 8]
    assert await asked.all(5) == [10]
    assert asked.calls == [[1, 2], [3, 4], [5]]


async def test_after_a_pause_nobody_waits() -> None:
    asked = Asked()
    await asked.all(1)
    await asyncio.sleep(2 * GATHER_S)
    later = asyncio.create_task(asked.together.answer(3))
    await turns()
    assert asked.calls == [[1], [3]]
    assert await later == 6


@pytest.mark.parametrize(("call_s", "pause_s"), [(0.0, 0.01), (0.02, 0.04), (0.5, 0.1)])
def test_the_pause_follows_what_a_call_takes(call_s: float, pause_s: float) -> None:
    assert GatherPace(least_s=0.01, most_s=0.1, calls=2).pause_s(call_s) == pause_s


async def test_the_longer_calls_take_the_more_questions_go_together() -> None:
    asked = Asked(pace=GatherPace(most_s=5, calls=1000))
    asked.gate.clear()
    first = asyncio.create_task(asked.together.answer(1))
    assert await asked.call() == [1]
    await asyncio.sleep(GATHER_S)
    asked.gate.set()
    assert await first == 2
    later = [asyncio.create_task(asked.together.answer(2))]
    await turns()
    assert asked.calls == [[1]]
    later.append(asyncio.create_task(asked.together.answer(3)))
    for task in later:
        task.cancel()


async def test_a_call_that_takes_long_holds_up_no_other() -> None:
    asked = Asked()
    asked.gate.clear()
    slow = asyncio.create_task(asked.together.answer(1))
    assert await asked.call() == [1]
    later = asyncio.create_task(asked.together.answer(2))
    assert await asked.call() == [2]
    asked.gate.set()
    assert (await slow, await later) == (2, 4)


async def test_no_more_than_so_many_go_together() -> None:
    asked = Asked(most=3)
    assert await asked.all(*range(8)) == [2 * number for number in range(8)]
    assert [len(call) for call in asked.calls] == [3, 3, 2]


async def test_whoever_leaves_is_not_asked_for_and_the_others_are_answered() -> None:
    asked = Asked()
    await asked.together.answer(1)
    left, stays = (asyncio.create_task(asked.together.answer(number)) for number in (2, 3))
    await asyncio.sleep(0)
    left.cancel()
    assert await stays == 6
    assert asked.calls == [[1], [3]]


async def test_one_question_that_fails_does_not_fail_the_others() -> None:
    def odd(numbers: Sequence[int]) -> None:
        if 13 in numbers:
            raise KeyError(13)

    asked = Asked(odd)
    answers = await asked.all(2, 13, 3)
    assert isinstance(answers.pop(1), KeyError)
    assert answers == [4, 6]
    assert asked.calls == [[2, 13, 3], [2], [13], [3]]


async def test_a_store_that_is_away_is_not_asked_for_each() -> None:
    def away(_numbers: Sequence[int]) -> None:
        raise StoreUnavailable("away")

    asked = Asked(away)
    assert {type(answer) for answer in await asked.all(1, 2, 3)} == {StoreUnavailable}
    assert asked.calls == [[1, 2, 3]]


async def test_a_store_that_one_question_cannot_use_may_be_there_for_the_others() -> None:
    def locked(numbers: Sequence[int]) -> None:
        if 2 in numbers:
            raise StoreUnavailable("locked")

    asked = Asked(locked, common=())
    answers = await asked.all(1, 2, 3)
    assert (answers[0], type(answers[1]), answers[2]) == (2, StoreUnavailable, 6)


async def test_questions_that_share_a_key_are_asked_one_after_the_other() -> None:
    asked = Asked(keys=lambda number: (number % 10, f"tens {number // 10}"))
    assert await asked.all(11, 22, 21, 33, 31) == [22, 44, 42, 66, 62]
    assert asked.calls == [[11, 22, 33], [21], [31]]


@pytest.mark.parametrize("cancelled", [1, 2])
async def test_who_is_answered_after_leaving_harms_nobody(cancelled: int) -> None:
    asked = Asked()
    asked.gate.clear()
    tasks = {number: asyncio.create_task(asked.together.answer(number)) for number in (1, 2, 3)}
    assert await asked.call() == [1, 2, 3]
    tasks[cancelled].cancel()
    asked.gate.set()
    answers = await asyncio.gather(*tasks.values(), return_exceptions=True)
    assert [answer for answer in answers if isinstance(answer, int)] == [2 * n for n in tasks if n != cancelled]
