"""The controller of one gateway among others: what it waits for, what it never waits for, and what it says."""

import asyncio
import errno
import os
import re
import shutil
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from strangler_gateway.cluster.record import held, holds
from strangler_gateway.cluster.record_json import digest
from strangler_gateway.migration import follow
from strangler_gateway.migration.around import SharedControl
from strangler_gateway.migration.journal.journal_entry import JournalEvent
from strangler_gateway.migration.migration import Migration
from strangler_gateway.migration.rules.move_result import MoveResult
from strangler_gateway.migration.saved import whole_file
from strangler_gateway.migration.served_table import ServedGroups
from strangler_gateway.table.position import Position, position_of
from strangler_gateway.table.routes import MigrationState
from tests.support.gateway.migrating import EXTRACTED, LEGACY, ROUTES, SHADOW, World, canary
from tests.support.gateway.shared_store import AWAY, Connection, Shared


@dataclass
class Cluster:
    """Gateways `a` and `b` on one store."""

    folder: Path
    shared: Shared = field(default_factory=Shared)
    worlds: dict[str, World] = field(default_factory=dict)
    connections: dict[str, Connection] = field(default_factory=dict)
    starts: int = 0

    async def start(self, name: str, *, cut: bool = False, file: str = ROUTES, file_moves: bool = True) -> Migration:
        self.starts += 1
        if name not in self.worlds:
            (self.folder / name).mkdir()
            self.worlds[name] = World(self.folder / name)
            self.worlds[name].path.write_text(file)
        link = self.connections[name] = Connection(name, self.shared, cut)
        run = f"{name}{self.starts}"
        return await self.worlds[name].started(shared=SharedControl(link, link, run), file_moves=file_moves)

    def lose_disk(self, name: str) -> None:
        shutil.rmtree(self.worlds[name].state_dir)


@pytest.fixture
async def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    monkeypatch.setattr(follow, "RETRY_S", 0.01)
    made = Cluster(tmp_path)
    yield made
    for world in made.worlds.values():
        await world.aclose()


@pytest.fixture
async def both(cluster: Cluster) -> tuple[Migration, Migration]:
    return await cluster.start("a"), await cluster.start("b")


def place(controller: Migration, unit: str = "items") -> Position:
    return position_of(controller.served.movables[unit])


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.001)


async def all_at(to: Position, *controllers: Migration) -> None:
    await until(lambda: {place(controller) for controller in controllers} == {to})


async def flip(controller: Migration, to: Position, who: str = "alice") -> MoveResult:
    return await controller.flip("items", to, who=who, why="because", force=True)


async def forward(*controllers: Migration, to: tuple[Position, ...] = (SHADOW, canary(10))) -> None:
    for each in to:
        result = await flip(controllers[0], each)
        assert (result.done, [text for text in result.warnings if "still serves" in text]) == (True, [])
        await all_at(each, *controllers)


def codes(result: MoveResult) -> list[str]:
    return [refusal.code for refusal in result.refusals]


async def roll_back(controller: Migration, who: str = "bob") -> MoveResult:
    [result] = await controller.rollback(["items"], who=who)
    assert (result.after, place(controller)) == (LEGACY, LEGACY)
    return result


async def test_a_flip_is_done_when_all_serve_it_and_a_rollback_reaches_all(
    cluster: Cluster, both: tuple[Migration, Migration]
) -> None:
    a, b = both
    await forward(a, b)
    last = cluster.worlds["b"].last()
    assert (last.event, last.who, last.before, last.after) == (JournalEvent.STORE, "alice", SHADOW, canary(10))
    files = [world.path for world in cluster.worlds.values()]
    await until(lambda: all("items: {state: canary, share: 10" in file.read_text() for file in files))
    assert a.served.digest == b.served.digest == (await b.diff()).file_digest
    await roll_back(b)
    await all_at(LEGACY, a)
    await until(lambda: all("items: {state: legacy" in file.read_text() for file in files))
    refused = await flip(a, SHADOW)
    assert (codes(refused), "rolled back by bob" in refused.reason) == (["held"], True)


def all_report_what_the_store_holds(cluster: Cluster) -> bool:
    held_there = digest(cluster.shared.groups["items"].record)
    return {reported["items"] for reported in cluster.shared.reports.values()} == {held_there}


async def test_a_rollback_elsewhere_is_journalled_and_reported_as_soon_as_it_is_served(
    cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(follow, "RETRY_S", 3600)
    a, b = await cluster.start("a"), await cluster.start("b")
    await forward(a, b)
    await roll_back(a)
    await until(lambda: all_report_what_the_store_holds(cluster))


async def test_a_flip_back_is_journalled_once_though_the_watch_sees_it_before_it_is_served(
    cluster: Cluster, both: tuple[Migration, Migration]
) -> None:
    a, _ = both
    await forward(*both)
    assert (await flip(a, SHADOW)).done
    [last] = [entry for entry in a.log(unit="items") if entry.after == SHADOW and entry.before == canary(10)]
    assert (last.event, last.who) == (JournalEvent.FLIP, "alice")


async def test_a_rollback_while_a_flip_is_judged_keeps_its_decision_out_of_the_store(
    cluster: Cluster, both: tuple[Migration, Migration], monkeypatch: pytest.MonkeyPatch
) -> None:
    a, b = both
    await forward(a, b)
    may_be_told, put_back = asyncio.Event(), a.replica.put_back

    async def told_late(groups: Iterable[str]) -> str | None:
        await may_be_told.wait()
        return await put_back(groups)

    async def rolled_back_meanwhile(group: str) -> Sequence[str]:
        rollbacks.append(asyncio.create_task(roll_back(a)))
        await asyncio.sleep(0)
        return ()

    rollbacks: list[asyncio.Task[MoveResult]] = []
    monkeypatch.setattr(a.replica, "put_back", told_late)
    monkeypatch.setattr(a.replica, "behind", rolled_back_meanwhile)
    assert codes(await flip(a, canary(20))) == ["overtaken"]
    assert cluster.shared.groups["items"].record.decision.position == canary(10)
    may_be_told.set()
    await rollbacks[0]
    await all_at(LEGACY, a, b)


async def test_a_move_that_cannot_be_served_is_taken_back_in_the_store_before_it_is_answered(
    cluster: Cluster, both: tuple[Migration, Migration]
) -> None:
    a, b = both
    await forward(a, b)
    cluster.worlds["a"].unservable = True
    assert codes(await flip(a, canary(20))) == ["not_served"]
    assert cluster.shared.groups["items"].record.decision.position == canary(10)


async def test_what_could_not_be_reported_at_once_is_reported_without_another_change(
    cluster: Cluster, both: tuple[Migration, Migration], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = asyncio.Event()

    async def is_served(_: ServedGroups) -> bool:
        return late.is_set()

    await forward(*both)
    monkeypatch.setattr(ServedGroups, "is_served", is_served)
    await roll_back(both[0])
    await all_at(LEGACY, *both)
    assert not all_report_what_the_store_holds(cluster)
    late.set()
    await until(lambda: all_report_what_the_store_holds(cluster))


async def test_a_store_in_which_one_call_failed_is_asked_again_though_its_watch_waits(
    cluster: Cluster, both: tuple[Migration, Migration]
) -> None:
    await forward(*both)
    link = cluster.connections["a"]
    link.asked_all.clear()
    link.away_since = 1.0
    async with asyncio.timeout(60):
        await link.asked_all.wait()


async def test_a_rollback_on_a_gateway_that_is_cut_off_wins_over_a_flip_elsewhere(
    cluster: Cluster, both: tuple[Migration, Migration]
) -> None:
    """Scenario 1."""
    a, b = both
    await forward(a, b)
    cluster.connections["a"].cut = True
    [note] = (await roll_back(a)).warnings
    assert (AWAY in note, "follow when this one sees the store again" in note) == (True, True)
    assert (await flip(b, EXTRACTED)).done
    cluster.connections["a"].cut = False
    await all_at(LEGACY, a, b)
    assert held(cluster.shared.groups["items"].record)


@pytest.mark.parametrize("to", [canary(20), SHADOW])
async def test_without_the_store_nothing_moves_forward_nor_back_by_flip(
    cluster: Cluster, both: tuple[Migration, Migration], to: Position
) -> None:
    a, b = both
    await forward(a, b)
    cluster.connections["a"].cut = True
    refused = await flip(a, to)
    assert refused.reason == f"items cannot move: {AWAY}. `rollback` works without it"
    assert (codes(refused), place(a)) == (["store"], canary(10))
    cluster.worlds["a"].edit("share: 10", "share: 20")
    [kept] = (await a.reload()).kept
    assert (codes(kept), place(a)) == (["store"], canary(10))
    assert codes(await a.release("items", who="bob")) == []  # nothing is on hold


async def test_of_two_flips_at_once_one_is_done_and_the_other_is_told_by_whom(
    cluster: Cluster, both: tuple[Migration, Migration]
) -> None:
    """Scenario 2."""
    a, b = both
    await forward(a, b, to=(SHADOW,))
    link = cluster.connections["a"]
    link.before_cas = asyncio.Event()
    link.asked.clear()
    slow = asyncio.create_task(flip(a, canary(20)))
    await link.asked.wait()
    cluster.shared.reports.pop("a")
    assert (await flip(b, canary(10), who="bob")).done
    link.before_cas.set()
    refused = await slow
    assert (codes(refused), "bob moved items to canary 10 %" in refused.reason) == (["overtaken"], True)
    await all_at(canary(10), a, b)


async def test_a_gateway_that_does_not_follow_keeps_the_next_step_back(
    cluster: Cluster, both: tuple[Migration, Migration]
) -> None:
    """Scenarios 8 and 12."""
    a, b = both
    await forward(a, b, to=(SHADOW,))
    cluster.worlds["b"].disk.away = True
    first = await flip(a, canary(10))
    assert (first.done, "b still serves" in first.warnings[-1]) == (True, True)
    second = await flip(a, canary(50))
    assert (codes(second), "b still serves" in second.reason, place(b)) == (["members"], True, SHADOW)
    assert codes(await flip(b, canary(50))) == ["store"]
    cluster.worlds["b"].disk.away = False
    await all_at(canary(10), b)
    await until(lambda: cluster.shared.reports["a"] == cluster.shared.reports["b"])
    assert (await flip(a, canary(50))).done


@pytest.mark.parametrize("disk", [True, False])
async def test_a_rollback_outlives_a_restart_without_the_store(
    cluster: Cluster, both: tuple[Migration, Migration], disk: bool
) -> None:
    """Scenarios 4 and 5; the disk alone, or the store alone."""
    a, b = both
    await forward(a, b)
    cluster.connections["a"].cut = disk
    await roll_back(a)
    await a.aclose()
    if not disk:
        cluster.lose_disk("a")
    again = await cluster.start("a", cut=True)
    assert (place(again), again.unconfirmed, again.standings["items"].hold is not None) == (
        LEGACY,
        frozenset(again.served.movables),
        disk,
    )
    cluster.connections["a"].cut = False
    await until(lambda: again.standings["items"].hold is not None and not again.unconfirmed)
    await all_at(LEGACY, again, b)
    await until(lambda: b.standings["items"].hold is not None)


async def test_a_wiped_and_a_restored_store_get_positions_and_holds_back(
    cluster: Cluster, both: tuple[Migration, Migration]
) -> None:
    """Scenarios 6 and 7."""
    a, b = both
    await forward(a, b)
    backup = cluster.shared.snapshot()
    await roll_back(a)
    await all_at(LEGACY, b)
    cluster.shared.change(backup.cluster, backup.groups)
    await until(lambda: held(cluster.shared.groups["items"].record))
    cluster.shared.wipe()
    await until(lambda: cluster.shared.groups.keys() >= {"items"} and held(cluster.shared.groups["items"].record))
    assert {place(a), place(b)} == {LEGACY}


async def test_a_release_ends_the_holds_that_somebody_has_seen(
    cluster: Cluster, both: tuple[Migration, Migration]
) -> None:
    """Scenario 11, and 3: a name that is passed on is released once."""
    a, b = both
    await forward(a, b)
    first = await roll_back(a)
    await until(lambda: b.standings["items"].hold is not None)
    seen = holds(b.standings["items"].record)
    assert first.rollback is not None
    await b.rollback(["items"], who="bob", passed_on={"items": first.rollback})
    await roll_back(a, "carol")
    await until(lambda: holds(b.standings["items"].record) != seen)
    assert (await b.release("items", who="dan", seen=seen)).held
    assert b.standings["items"].hold is not None
    assert not (await b.release("items", who="dan")).held
    await until(lambda: a.standings["items"].hold is None)
    assert (place(a), place(b)) == (LEGACY, LEGACY)
    await until(lambda: cluster.shared.reports["a"] == cluster.shared.reports["b"])
    assert (await flip(a, SHADOW)).done


async def test_a_wish_of_a_file_is_decided_once_by_whichever_gateway_sees_it_first(
    cluster: Cluster, both: tuple[Migration, Migration]
) -> None:
    """Scenario 9: also one that was refused."""
    a, b = both
    await forward(a, b, to=(SHADOW,))
    for world in cluster.worlds.values():
        world.path.write_text(ROUTES.replace("items: {state: legacy", "items: {state: shadow"))
    new = ROUTES.replace("items: {state: legacy", "items: {state: canary, share: 10")
    cluster.worlds["a"].path.write_text(new)
    assert [codes(each) for each in (await a.reload()).kept] == [["not_compared"]]
    cluster.worlds["a"].compared()
    assert (await a.reload()).kept == ()
    newer = new.replace("share: 10", "share: 15")
    cluster.worlds["a"].path.write_text(newer)
    assert [each.after for each in (await a.reload()).moved] == [canary(15)]
    await all_at(canary(15), b)
    assert (await flip(a, LEGACY)).done
    await all_at(LEGACY, b)
    cluster.worlds["b"].path.write_text(newer)
    again = await b.reload()
    assert (again.moved, again.kept, place(b)) == ((), (), LEGACY)


def mounted_read_only(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replace = whole_file.replace

    def refused(target: Path, data: bytes, mode: int | None = None) -> None:
        if target == path.resolve():
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        replace(target, data, mode)

    monkeypatch.setattr(whole_file, "replace", refused)


def without_the_right_to_write(path: Path, _monkeypatch: pytest.MonkeyPatch) -> None:
    path.chmod(0o444)


@pytest.mark.parametrize("protect", [mounted_read_only, without_the_right_to_write])
async def test_a_file_that_may_not_be_written_is_no_fault_where_a_store_keeps_the_states(
    cluster: Cluster, protect: Callable[[Path, pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    a = await cluster.start("a")
    protect(cluster.worlds["a"].path, monkeypatch)
    assert [result.warnings for result in (await flip(a, SHADOW), await roll_back(a))] == [(), ()]
    assert cluster.worlds["a"].path.read_text() == ROUTES


async def test_a_file_that_moves_no_group_says_which_routes_there_are_and_nothing_else(
    cluster: Cluster, caplog: pytest.LogCaptureFixture
) -> None:
    """A ConfigMap of routes that many gateways read, also where it says what somebody decided long ago."""
    a, b = await cluster.start("a", file_moves=False), await cluster.start("b", file_moves=False)
    await forward(a, b)
    files = [world.path for world in cluster.worlds.values()]
    assert [file.read_text() for file in files] == [ROUTES, ROUTES]
    new = ROUTES.replace("routes:\n", "routes:\n  - {id: extra, match: {path: /extra}, legacy: monolith}\n")
    for state in ("shadow", "extracted", "legacy"):
        for file in files:
            file.write_text(new.replace("items: {state: legacy", f"items: {{state: {state}"))
        assert [(each.moved, each.kept) for each in (await a.reload(), await b.reload())] == [((), ()), ((), ())]
        assert {place(a), place(b)} == {canary(10)}
        assert "extra" in {route.id for route in a.served.routes}
    [moved] = (await b.diff()).units
    assert (moved.file, moved.served) == (LEGACY, canary(10))
    assert re.fullmatch(r"moved by alice at \S+; the file moves no group", moved.reason)
    again = await cluster.start("c", file_moves=False, file=files[0].read_text().replace("legacy", "extracted", 1))
    assert place(again) == canary(10)
    assert not [record for record in caplog.records if "file" in record.message]


async def test_nobody_decided_means_legacy_until_somebody_adopts_the_file(cluster: Cluster) -> None:
    a = await cluster.start("a", file=ROUTES.replace("items: {state: legacy", "items: {state: canary, share: 10"))
    assert (place(a), a.unconfirmed) == (LEGACY, frozenset())
    adopted = await a.adopt("items", who="alice", why="as it was")
    assert (adopted.done, adopted.after, place(a)) == (True, canary(10), canary(10))
    assert (cluster.worlds["a"].last().event, cluster.shared.groups["items"].record.decision.who) == (
        JournalEvent.ADOPTED,
        "alice",
    )
    assert codes(await a.adopt("items", who="alice")) == ["decided"]
    b = await cluster.start("b")
    assert place(b) == canary(10)


@pytest.mark.parametrize(
    ("state", "data", "served", "closed"),
    [
        ("extracted", "shared", MigrationState.LEGACY, False),
        ("shadow", "own", MigrationState.LEGACY, False),
        ("canary, share: 1", "own", MigrationState.LEGACY, True),
        ("extracted", "own", MigrationState.LEGACY, True),
        ("retired", "own", MigrationState.RETIRED, False),
        ("retired", "shared", MigrationState.RETIRED, False),
    ],
)
async def test_a_start_with_neither_journal_nor_store(
    cluster: Cluster, state: str, data: str, served: MigrationState, closed: bool
) -> None:
    text = ROUTES.replace("items: {state: legacy,", f"items: {{state: {state}, data: {data},")
    a = await cluster.start("a", cut=True, file=text)
    [route] = [route for route in a.served.routes if route.id == "item-read"]
    assert (route.movable.state, route.legacy.name == "unconfirmed", "items" in a.unconfirmed) == (served, closed, True)
    await roll_back(a)
    [route] = [route for route in a.served.routes if route.id == "item-read"]
    assert route.legacy.name == "monolith"


async def test_a_released_name_that_is_passed_on_moves_nothing(
    cluster: Cluster, both: tuple[Migration, Migration]
) -> None:
    a, b = both
    name = (await roll_back(a)).rollback
    assert name is not None
    await a.release("items", who="bob")
    await until(lambda: b.standings["items"].record == a.standings["items"].record)
    await until(lambda: cluster.shared.reports["a"] == cluster.shared.reports["b"])
    await forward(a, b, to=(SHADOW,))
    [late] = await b.rollback(["items"], who="bob", passed_on={"items": name})
    assert (late.after, late.held, b.standings["items"].position, place(b)) == (SHADOW, False, SHADOW, SHADOW)


async def test_what_was_assumed_ends_when_the_store_answers(cluster: Cluster) -> None:
    text = ROUTES.replace("items: {state: legacy,", "items: {state: retired,")
    a = await cluster.start("a", cut=True, file=text)
    assert place(a).state is MigrationState.RETIRED
    cluster.connections["a"].cut = False
    await all_at(LEGACY, a)


async def test_an_automatic_rollback_needs_the_lease_and_the_store(
    cluster: Cluster, both: tuple[Migration, Migration]
) -> None:
    """Scenario 10, N11."""
    a, b = both
    await forward(a, b)
    judged = a.standings["items"]
    cluster.shared.driver = "b"
    assert not await a.roll_back("items", "alice", "it fails", {}, judged)
    cluster.shared.driver = None
    cluster.connections["a"].cut = True
    assert not await a.roll_back("items", "alice", "it fails", {}, judged)
    cluster.connections["a"].cut = False
    assert (place(a), place(b)) == (canary(10), canary(10))
    await forward(b, a, to=(canary(20),))
    assert not await a.roll_back("items", "alice", "it fails", {}, judged)  # it was judged before that move
    link = cluster.connections["a"]
    link.before_cas, link.asked = asyncio.Event(), asyncio.Event()
    late = asyncio.create_task(a.roll_back("items", "alice", "it fails", {}, a.standings["items"]))
    await link.asked.wait()
    cluster.shared.driver = "b"  # its session has ended meanwhile
    link.before_cas.set()
    assert (await late, place(a)) == (False, canary(20))
    cluster.shared.driver = None
    assert await a.roll_back("items", "alice", "it fails", {}, a.standings["items"])
    await all_at(LEGACY, a, b)
    entry = a.log(1)[0]
    assert (entry.event, entry.automatic, entry.who) == (JournalEvent.ROLLBACK, True, "automatic, for alice")


@pytest.mark.parametrize("adopted", [False, True])
async def test_a_move_that_cannot_be_served_here_goes_back_everywhere(cluster: Cluster, adopted: bool) -> None:
    a = await cluster.start("a", file=ROUTES.replace("items: {state: legacy", "items: {state: shadow"))
    b = await cluster.start("b")
    cluster.worlds["a"].unservable = True
    refused = await (a.adopt("items", who="alice") if adopted else flip(a, SHADOW))
    assert codes(refused) == ["not_served"]
    cluster.worlds["a"].unservable = False
    await until(lambda: cluster.shared.groups["items"].record.decision.position == LEGACY)
    await all_at(LEGACY, a, b)
    await until(lambda: cluster.shared.reports["a"] == cluster.shared.reports["b"])
    assert (await flip(b, SHADOW)).done
