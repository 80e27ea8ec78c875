"""What a gateway reports reaches the store, whatever fails."""

import asyncio
import contextlib
from pathlib import Path

import pytest

from strangler_gateway.cluster import members as module
from strangler_gateway.cluster.member import ClusterMember
from strangler_gateway.cluster.members import Members
from strangler_gateway.cluster.store import StoreAway
from strangler_gateway.table.position import Position


class FailingStore:
    """The next `failures` writes fail."""

    def __init__(self) -> None:
        self.cluster = "c1"
        self.members: dict[str, ClusterMember] = {}
        self.positions: dict[str, Position] = {}
        self.failures = 0

    async def read_all(self) -> None:
        """It is read already."""

    async def report(self, member: ClusterMember, *, only_if_missing: bool = False) -> None:
        if self.failures:
            self.failures -= 1
            raise StoreAway("no leader")
        self.members[member.name] = member

    async def remove(self, name: str) -> None:
        del self.members[name]


async def test_a_report_that_failed_is_written_as_soon_as_the_store_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "AWAY_S", 0.01)
    monkeypatch.setattr(module, "REFRESH_S", 3600)
    store = FailingStore()
    members = Members(store, ClusterMember("gw1", "7f3a"), tmp_path / "members.json", 1)
    await members.begin("http://127.0.0.1:8081")
    running = asyncio.create_task(members.run())
    await asyncio.sleep(0)  # it has nothing to say, and waits
    store.failures = 3
    with pytest.raises(StoreAway):
        await members.report({"items": "aaa"})
    async with asyncio.timeout(60):
        while store.members["gw1"].serves != {"items": "aaa"}:
            await asyncio.sleep(0.001)
    running.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await running


async def test_two_gateways_of_one_name_notice_each_other_move_nothing_forward_and_do_not_write_for_ever(
    tmp_path: Path,
) -> None:
    now, store = [1000.0], FailingStore()
    mine, theirs = (
        Members(store, ClusterMember("gw1", run), tmp_path / run, 0, lambda: now[0]) for run in ("7f3a", "9c2d")
    )
    await mine.begin("http://10.0.0.1:8081")
    now[0] += 1
    await theirs.begin("http://10.0.0.2:8081")
    assert theirs.twofold is None  # the key was there before it began
    await mine.report({"items": "aaa"})
    told, *_ = await mine.behind("items", "aaa")
    assert told == (
        "another gateway is called gw1, too, and runs at http://10.0.0.2:8081: give each its own STRANGLER_MEMBER"
    )
    assert store.members["gw1"].run == "9c2d"  # it is not written over at once
    now[0] += 20
    await mine.report({"items": "aaa"})
    await theirs.report({"items": "aaa"})
    assert "10.0.0.1:8081" in (theirs.twofold or "")
    await mine.leave()
    await theirs.leave()
    assert store.members == {} or store.members["gw1"].run == "7f3a"
    now[0] += 60
    await mine.report({"items": "bbb"})
    assert mine.twofold is None


async def test_a_restart_and_a_taken_over_name_are_no_second_gateway(tmp_path: Path) -> None:
    store = FailingStore()
    store.members["gw1"] = ClusterMember("gw1", "before", "http://10.0.0.1:8081", 999.0, {})
    members = Members(store, ClusterMember("gw1", "7f3a"), tmp_path / "members.json", 0, lambda: 1000.0)
    await members.begin("http://10.0.0.1:8081")
    assert (members.twofold, store.members["gw1"].run) == (None, "7f3a")


@pytest.mark.parametrize(("others", "is_said_again"), [(1, True), (99, False)])
async def test_many_gateways_say_less_often_that_they_have_nothing_to_say(
    tmp_path: Path, others: int, is_said_again: bool
) -> None:
    now = 1000.0
    store = FailingStore()
    store.members |= {f"other{n}": ClusterMember(f"other{n}") for n in range(others)}
    members = Members(store, ClusterMember("gw1", "7f3a"), tmp_path / "members.json", 1, lambda: now)
    await members.begin("http://127.0.0.1:8081")
    now += 50
    await members.begin("http://127.0.0.1:8081")
    assert (store.members["gw1"].at == now) == is_said_again
