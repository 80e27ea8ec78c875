"""The bound on requests that have code run."""

import asyncio

import pytest

from extracted.learning.submissions.places import RunPlaces
from extracted.learning.submissions.ports import RunnerBusy

AT_ONCE = 2


async def test_no_more_than_allowed_are_under_way_and_who_gets_no_place_hears_of_it() -> None:
    places, gate, at_once = RunPlaces(AT_ONCE, 0.2), asyncio.Event(), [0, 0]

    async def run() -> float:
        async with places.taken() as left_s:
            at_once[0] += 1
            at_once[1] = max(at_once)
            await gate.wait()
            at_once[0] -= 1
            return left_s()

    running = [asyncio.create_task(run()) for _ in range(AT_ONCE)]
    await asyncio.sleep(0)  # both begin
    with pytest.raises(RunnerBusy):
        await run()
    gate.set()
    assert max(await asyncio.gather(*running)) < 0.2
    assert max(await asyncio.gather(*(run() for _ in range(6)))) <= 0.2
    assert at_once == [0, AT_ONCE]


async def test_a_place_becomes_free_when_its_request_fails() -> None:
    places = RunPlaces(1, 0.2)
    for _ in range(3):
        with pytest.raises(ValueError, match="failed"):
            async with places.taken():
                raise ValueError("failed")
