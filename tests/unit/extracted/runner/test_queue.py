"""The queue: fair among users, bounded, and never short of a turn, whoever gives up."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from extracted.runner.queue import Admission, FairQueue, QueueBounds, QueueFull, Stopping


def queue(turns: int = 1, jobs: int = 100, jobs_of_user: int = 100, size_bytes: int = 1000) -> FairQueue:
    return FairQueue(QueueBounds(turns, jobs, jobs_of_user, size_bytes), asyncio.get_running_loop().time)


class Jobs:
    """Jobs that wait for a turn and note their names in the order of their turns."""

    def __init__(self, queue: FairQueue) -> None:
        self.queue = queue
        self.order: list[str] = []
        self.tasks: dict[str, asyncio.Task[None]] = {}

    async def add(self, name: str, turns: int = 1) -> None:
        """The user is the first letter."""
        self.tasks[name] = asyncio.create_task(self._run(name, turns))
        await asyncio.sleep(0)

    async def _run(self, name: str, turns: int) -> None:
        with self.queue.admitted(name[0], 1) as admission:
            for _ in range(turns):
                async with self.queue.turn(admission):
                    self.order.append(name)

    async def all(self) -> list[object]:
        return await asyncio.gather(*self.tasks.values(), return_exceptions=True)


@contextmanager
def held(queue: FairQueue) -> Iterator[Admission]:
    with queue.admitted("holder", 1) as admission:
        yield admission


async def test_users_take_turns_however_many_jobs_one_of_them_has() -> None:
    jobs = Jobs(queue())
    with held(jobs.queue) as holder:
        async with jobs.queue.turn(holder):
            for name in ("a1", "a2", "a3", "a4", "b1", "c1", "b2"):
                await jobs.add(name)
    await jobs.all()
    assert jobs.order == ["a1", "b1", "c1", "a2", "b2", "a3", "a4"]


async def test_a_user_s_job_that_has_begun_goes_before_a_new_one() -> None:
    jobs = Jobs(queue())
    with held(jobs.queue) as holder:
        async with jobs.queue.turn(holder):
            await jobs.add("a1", turns=2)
            await jobs.add("b1")
            await jobs.add("a2")
    await jobs.all()
    assert jobs.order == ["a1", "b1", "a1", "a2"]


async def test_no_more_run_at_once_than_there_are_turns() -> None:
    fair, seen = queue(turns=3), 0

    async def job(number: int) -> None:
        nonlocal seen
        with fair.admitted(str(number % 4), 1) as admission:
            async with fair.turn(admission):
                seen = max(seen, fair.running)
                await asyncio.sleep(0)

    await asyncio.gather(*map(job, range(50)))
    assert (seen, fair.running, fair.waiting) == (3, 0, 0)


@pytest.mark.parametrize("pause", [0, 1, 2, 3])
async def test_who_gives_up_takes_no_turn_with_it(pause: int) -> None:
    """Also if it is cancelled at the moment at which it is granted its turn."""
    jobs = Jobs(queue())
    with held(jobs.queue) as holder:
        async with jobs.queue.turn(holder):
            await jobs.add("a1")
            await jobs.add("a2")
    for _ in range(pause):
        await asyncio.sleep(0)
    jobs.tasks["a1"].cancel()
    await jobs.all()
    assert jobs.order[-1] == "a2"
    assert (jobs.queue.running, jobs.queue.waiting, jobs.queue.oldest_s) == (0, 0, 0.0)


@pytest.mark.parametrize(
    ("fair", "user", "reason"),
    [
        ({"jobs": 2}, "c", "too many jobs wait"),
        ({"jobs_of_user": 1}, "a", "too many jobs of this user wait"),
        ({"size_bytes": 25}, "c", "too many jobs wait"),
    ],
)
async def test_beyond_its_bounds_it_takes_no_job(fair: dict[str, int], user: str, reason: str) -> None:
    bounded = queue(**fair)
    with bounded.admitted("a", 10), bounded.admitted("b", 10):
        with pytest.raises(QueueFull, match=reason) as refused, bounded.admitted(user, 10):
            pass
        assert 1 <= refused.value.retry_after_s <= 60
    with bounded.admitted(user, 10):
        assert sum(bounded.refusals.values()) == 1


async def test_one_user_s_bound_is_no_other_s_and_does_not_count_where_nobody_is_named() -> None:
    bounded = queue(jobs_of_user=1)
    with bounded.admitted("", 1, bounded=False), bounded.admitted("", 1, bounded=False), bounded.admitted("b", 1):
        pass


async def test_a_stop_gives_back_what_has_not_begun_and_finishes_what_has() -> None:
    fair = queue()
    jobs = Jobs(fair)

    async def again(admission: Admission) -> str:
        async with fair.turn(admission):
            return "done"

    with held(fair) as begun:
        async with fair.turn(begun):
            await jobs.add("b1")
            second = asyncio.create_task(again(begun))
            await asyncio.sleep(0)
            fair.close()
        assert await second == "done"
    with pytest.raises(Stopping), fair.admitted("c", 1):
        pass
    assert [type(result) for result in await jobs.all()] == [Stopping]
    assert (fair.refusals["stopping"], fair.running, fair.waiting) == (2, 0, 0)
