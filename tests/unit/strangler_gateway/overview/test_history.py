"""The history that outlives the gateway: what is kept, and what becomes of a file that cannot be read."""

import json
from pathlib import Path
from typing import Any

import pytest

from strangler_gateway.overview.history import DAY_EVERY_S, DAY_POINTS, DAYS_EVERY_S, MAX_BYTES, History, history_file
from strangler_gateway.overview.ring import ALL, Sample

BEGAN = 20_000 * 86_400.0


async def kept(samples: int, *names: str) -> History:
    """As many samples of five minutes, each with 3 requests to legacy and 1 to the new side."""
    history = History()
    for number in range(1, samples + 1):
        one = Sample(3, 1, users_new=number, users=2 * number)
        history.day.add(BEGAN + number * DAY_EVERY_S, DAY_EVERY_S, dict.fromkeys((ALL, *names), one))
        if not number % 72:
            await history.sampled(names)
    return history


def again(folder: Path, clock: float = 2 * BEGAN) -> tuple[History, str | None]:
    history = History()
    return history, history_file(folder, history, lambda: clock).restore()


async def test_day_and_months_are_there_after_a_restart_and_only_once(tmp_path: Path) -> None:
    before = await kept(DAY_POINTS, "items")
    history_file(tmp_path, before, lambda: BEGAN).write(before.snapshot())
    after, problem = again(tmp_path)
    assert problem is None
    for name in (ALL, "items", "unknown"):
        assert str(after.day.samples(name, 0)) == str(before.day.samples(name, 0))
        assert str(after.days.samples(name, 0)) == str(before.days.samples(name, 0))
    found = [(at, seconds, one.legacy, one.users_new) for at, seconds, one in after.days.samples(ALL, 0)]
    assert found == [(BEGAN + part * DAYS_EVERY_S, DAYS_EVERY_S, 72 * 3, 72 * part) for part in (1, 2, 3, 4)]
    await after.sampled(["items"])
    assert len(after.days.samples(ALL, 0)) == 4


async def test_samples_of_a_clock_that_was_ahead_are_left_out(tmp_path: Path) -> None:
    before = await kept(144)
    history_file(tmp_path, before, lambda: BEGAN).write(before.snapshot())
    after, _ = again(tmp_path, BEGAN + 10 * DAY_EVERY_S)
    assert (len(after.day.samples(ALL, 0)), len(after.days.samples(ALL, 0))) == (10, 0)


async def test_the_file_is_bounded_and_leaves_out_the_quietest(tmp_path: Path) -> None:
    history = History()
    names = [f"group-{number}" for number in range(400)]
    for number in range(1, DAY_POINTS + 1):
        busy = {name: Sample(*(hash((name, number, at)) % 9973 for at in range(10))) for name in names[:300]}
        quiet = {name: Sample(1) for name in names[300:] if number == 7}
        history.day.add(BEGAN + number * DAY_EVERY_S, DAY_EVERY_S, {ALL: Sample(9), **busy, **quiet})
    await history.sampled(names)
    history_file(tmp_path, history, lambda: BEGAN).write(history.snapshot())
    assert (tmp_path / "history.json").stat().st_size <= MAX_BYTES
    after, problem = again(tmp_path)
    assert (problem, ALL in after.day.names) == (None, True)
    assert 0 < len(after.day.names) < 400
    assert not {*names[300:]} & {*after.day.names}


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-20],
        lambda text: "[]",
        lambda text: "{}",
        lambda text: text.replace('"rows":{"', '"rows":{"eA==":"eA==","', 1),
        lambda text: text.replace('"seconds":[300.0', '"seconds":[NaN', 1),
        lambda text: text.replace('"times":[', '"times":[9e10,', 1),
    ],
)
async def test_a_damaged_file_is_an_empty_history_and_says_so(tmp_path: Path, damage: Any) -> None:
    before = await kept(80, "items")
    history_file(tmp_path, before, lambda: BEGAN).write(before.snapshot())
    file = tmp_path / "history.json"
    damaged = damage(file.read_text())
    assert damaged != json.dumps(before.snapshot())
    file.write_text(damaged)
    after, problem = again(tmp_path)
    assert problem is not None
    assert problem.startswith("history.json cannot be read (")
    assert problem.endswith("the charts begin anew")
    assert after.day.names == after.days.names == []
