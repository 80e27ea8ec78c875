"""The counters outlive the process, and a file that cannot be used costs only the counting."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from strangler_gateway.migration.saved.counters import counters_file
from strangler_gateway.migration.saved.saved_file import MAX_BYTES, SavedFile
from strangler_gateway.telemetry.migration_steps.counts import StepCounts
from strangler_gateway.telemetry.runs import CountedRun
from strangler_gateway.telemetry.stats import Stats
from tests.support.gateway.migrating import World


def counters(path: Path, at: float = 0.0) -> tuple[Stats, SavedFile]:
    stats = Stats(wall=lambda: at)
    return stats, counters_file(path, stats)


def test_counting_goes_on_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "counters.json"
    before, file = counters(path, at=5.0)
    before.route("read").legacy, before.route("read").shadow_different = 7, 3
    before.route("read").last_legacy_at = 6.5
    before.undeclared["GET /a"] = 3
    file.write(file.snapshot())
    after, again = counters(path, at=9.0)
    assert again.restore() is None
    runs = [CountedRun(5.0), CountedRun(9.0)]  # the first one was killed
    assert (after.snapshot(), after.runs) == (before.snapshot() | {"runs": [run.to_json() for run in runs]}, runs)
    assert (after.since, after.route("read").legacy) == (5.0, 7)
    assert path.stat().st_mode & 0o777 == 0o600


def test_nothing_is_written_while_nothing_changes(tmp_path: Path) -> None:
    path = tmp_path / "counters.json"
    stats, file = counters(path)
    file.write(file.snapshot())
    path.unlink()
    file.write(file.snapshot())
    assert not path.exists()
    stats.route("read").legacy += 1
    file.write(file.snapshot())
    assert path.exists()


@pytest.mark.parametrize(
    ("steps", "named"),
    [
        ({"items": {"since": 1}, "orders": StepCounts(1.0, 100).snapshot()}, "items"),
        (
            {"items": StepCounts(1.0, 100).snapshot() | {"timings": {"age_s": 0, "routes": {"r": {"seconds_new": 3}}}}},
            "items",
        ),
        ([1], "all groups"),
    ],
)
def test_a_damaged_step_is_said_and_the_rest_is_kept(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, steps: object, named: str
) -> None:
    path = tmp_path / "counters.json"
    before, _ = counters(path)
    before.route("read").legacy = 7
    path.write_text(json.dumps(before.snapshot() | {"steps": steps}))
    after, file = counters(path)
    assert file.restore() is None
    assert (after.route("read").legacy, "items" in after.steps) == (7, False)
    assert f"the present step of {named} has shown begins anew" in caplog.text


def test_a_file_that_could_not_be_read_again_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "counters.json"
    file = SavedFile(path, lambda: None, lambda saved: None, "")
    with pytest.raises(OSError, match="at most"):
        file.write("x" * MAX_BYTES)
    assert not path.exists()


UNUSABLE = {
    "empty": b"",
    "half": b"{",
    "list": b"[]",
    "number": b"7",
    "bytes": b"\xff",
    "part": b'{"since": 1}',
    "since": b'{"since": "x", "routes": {}, "undeclared": {}}',
    "routes": b'{"since": 1, "routes": 1, "undeclared": {}}',
    "route": b'{"since": 1, "routes": {"a": 1}, "undeclared": {}}',
    "deep": b"[" * 5000,
    "big": b" " * (MAX_BYTES + 1),
}


@pytest.mark.parametrize("content", UNUSABLE.values(), ids=UNUSABLE)
def test_a_file_that_cannot_be_used_is_told_of(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "counters.json"
    path.write_bytes(content)
    stats, file = counters(path, at=3.0)
    assert "start at zero" in (file.restore() or "")
    assert stats.since == 3.0


async def test_they_are_written_every_few_seconds_and_at_the_end(tmp_path: Path) -> None:
    world = World(tmp_path)
    migration = world.controller(save_every_s=0.01)
    await migration.start()

    def saved() -> Any:
        return json.loads((world.state_dir / "counters.json").read_text())["routes"]["search"]["legacy"]

    world.stats.route("search").legacy = 41
    async with asyncio.timeout(60):
        while not (world.state_dir / "counters.json").exists() or saved() != 41:
            await asyncio.sleep(0.005)
    world.stats.route("search").legacy = 42
    await migration.aclose()
    assert saved() == 42
