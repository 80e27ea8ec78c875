"""A hundred groups, each with a plan of its own, driven by one gateway at once, under traffic."""

import asyncio
import time
from collections import Counter
from pathlib import Path

import psutil
import pytest

from tests.faults.driven.faults import Answered, Asked, Fault
from tests.faults.driven.scene import Scene

pytestmark = pytest.mark.walk

GROUPS, WITHIN_S = 100, 180.0
PLAN = (
    "plan: {auto: true, steps: [shadow 1s, canary 50% 1s]}, "
    'gate: {min: 10, min_above_10: 10, latency: "off", sizes: "off"}'
)


def _healthy(asked: Asked) -> Answered:
    return Answered(seconds=0.0)


def test_a_hundred_groups_reach_their_end_by_themselves_and_no_user_meets_a_failure(tmp_path: Path) -> None:
    asyncio.run(_driven(tmp_path))


async def _driven(folder: Path) -> None:
    groups = [Fault(f"group{number:03}", "legacy", _healthy, per_second=3.0) for number in range(GROUPS)]
    async with Scene(folder, groups, PLAN, seed=3) as scene:
        process, begun = psutil.Process(scene.gateway.process.pid), time.monotonic()
        while (states := await _states(scene)) != {"canary": GROUPS}:
            assert time.monotonic() - begun < WITHIN_S, (states, (await scene.get("/plans"))["plans"][:3])
            await asyncio.sleep(1)
        seconds = time.monotonic() - begun
        moves = [len(await scene.journal(one.name)) for one in groups]
        used = sum(process.cpu_times()[:2])
    print(f"\n{GROUPS} groups came to canary in {seconds:.0f} s; the gateway used {used:.0f} s of CPU")
    assert set(moves) == {2}
    answers = sum(scene.crowd.answers.values(), Counter[int]())
    assert set(answers) == {200}, answers


async def _states(scene: Scene) -> Counter[str]:
    rows = (await scene.get("/routes"))["routes"]
    return Counter(row["state"] for row in rows if row["unit"] != "rest")
