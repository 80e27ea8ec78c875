"""The controller: what is served, journalled and written, whoever asks and whatever is away."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from strangler_gateway.config.faults import RoutesInvalid
from strangler_gateway.config.file import load
from strangler_gateway.migration.journal.journal import Journal
from strangler_gateway.migration.journal.journal_entry import JournalEvent
from strangler_gateway.migration.migration import Migration
from strangler_gateway.migration.move_result import MoveResult
from strangler_gateway.migration.states import Position, position_of
from strangler_gateway.table.routes import MigrationState
from tests.support.gateway.migrating import EXTRACTED, LEGACY, RETIRED, ROUTES, SHADOW, World, canary

DAY = 86400.0


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
async def migration(world: World) -> AsyncIterator[Migration]:
    controller = world.controller()
    await controller.start()
    yield controller
    await controller.aclose()


def codes(outcome: MoveResult) -> list[str]:
    return [refusal.code for refusal in outcome.refusals]


def place(controller: Migration, unit: str = "items") -> Position:
    return position_of(controller.served.movables[unit])


async def flip(controller: Migration, to: Position, unit: str = "items", *, force: bool = False) -> MoveResult:
    return await controller.flip(unit, to, who="alice", why="because", force=force)


async def lead(world: World, controller: Migration, to: Position) -> None:
    """The whole way forward, as one should go it."""
    for step in (SHADOW, canary(10), EXTRACTED, RETIRED):
        if place(controller) == to:
            return
        outcome = await flip(controller, step)
        assert outcome.done, outcome
        if step == SHADOW:
            world.compared()
        world.now += 2 * DAY
    assert place(controller) == to


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():
            await asyncio.sleep(0.001)


async def restarted(world: World, controller: Migration, *, away: bool = False) -> Migration:
    await controller.aclose()
    again = world.controller(away=away)
    await again.start()
    return again


async def test_a_flip_serves_journals_and_writes_the_file(world: World, migration: Migration) -> None:
    outcome = await flip(migration, SHADOW)
    assert (outcome.before, outcome.after, outcome.undo) == (LEGACY, SHADOW, (LEGACY,))
    assert outcome.digest == migration.served.digest == world.served[-1].digest
    assert len(world.served) == 1
    assert all(r.movable.state is MigrationState.SHADOW for r in migration.served.routes if r.movable.name == "items")
    entry = list(world.journal())[-1]
    assert (entry.event, entry.unit, entry.who, entry.why) == (JournalEvent.FLIP, "items", "alice", "because")
    assert (entry.before, entry.after, entry.digest, entry.time) == (LEGACY, SHADOW, outcome.digest, world.now)
    assert world.path.read_text() == ROUTES.replace("items: {state: legacy", "items: {state: shadow")


async def test_the_written_file_says_exactly_what_is_served(world: World, migration: Migration) -> None:
    await lead(world, migration, canary(10))
    assert load(world.path.read_text(), {}).digest == migration.served.digest
    reloaded = await migration.reload()
    assert (reloaded.moved, reloaded.kept) == ((), ())
    assert reloaded.digest == migration.served.digest


async def test_a_refused_flip_changes_nothing(world: World, migration: Migration) -> None:
    before = list(world.journal())
    outcome = await flip(migration, EXTRACTED)
    assert codes(outcome) == ["step"]
    assert (outcome.before, outcome.after) == (LEGACY, LEGACY)
    assert (list(world.journal()), world.served, world.path.read_text()) == (before, [], ROUTES)


async def test_a_dry_run_judges_and_changes_nothing(world: World, migration: Migration) -> None:
    before = list(world.journal())
    outcome = await migration.flip("items", SHADOW, who="alice", why="?", dry_run=True)
    assert (outcome.done, outcome.after, outcome.dry_run) == (True, SHADOW, True)
    assert (list(world.journal()), world.served, world.path.read_text()) == (before, [], ROUTES)


async def test_a_service_that_accepts_no_connection_stops_a_flip_and_force_overrides_it(
    world: World, migration: Migration
) -> None:
    world.down.add("items")
    assert codes(await flip(migration, SHADOW)) == ["unreachable"]
    forced = await flip(migration, SHADOW, force=True)
    assert forced.done
    assert [r.code for r in forced.overridden] == ["unreachable"]
    assert list(world.journal())[-1].forced == ("unreachable",)


async def test_differences_stop_a_flip_with_numbers_and_the_latest_example(world: World, migration: Migration) -> None:
    await flip(migration, SHADOW)
    world.compared(different=2)
    world.examples = {"item-read": [{"place": "$.latest"}, {"place": "$.older"}]}
    [refusal] = (await flip(migration, canary(1))).refusals
    assert (refusal.code, refusal.example) == ("differences", {"place": "$.latest"})
    assert "2 of 10" in refusal.message


async def test_entering_shadow_again_counts_anew(world: World, migration: Migration) -> None:
    await flip(migration, SHADOW)
    world.compared(different=2)
    await flip(migration, LEGACY)
    await flip(migration, SHADOW)
    assert codes(await flip(migration, canary(1))) == ["not_compared"]
    world.compared()
    assert (await flip(migration, canary(1))).done


async def test_what_shadow_counted_outlives_a_restart(world: World, migration: Migration) -> None:
    world.compared(different=9)
    await flip(migration, SHADOW)
    world.compared()
    again = await restarted(world, migration)
    assert (await flip(again, canary(1))).done
    await again.aclose()


async def test_lost_counters_are_not_taken_for_comparisons(world: World, migration: Migration) -> None:
    world.compared(different=9)
    await flip(migration, SHADOW)
    world.compared()
    await migration.aclose()
    (world.state_dir / "counters.json").write_text("{half")
    world.now += 1
    again = world.controller()
    await again.start()
    assert codes(await flip(again, canary(1))) == ["not_compared"]
    world.compared(different=1)
    assert codes(await flip(again, canary(1))) == ["differences"]
    await again.aclose()


async def test_a_unit_without_a_safe_method_goes_from_legacy_to_canary(migration: Migration) -> None:
    assert codes(await flip(migration, canary(1), "orders")) == ["own_data"]
    assert (await flip(migration, canary(1), "orders", force=True)).done
    back = await flip(migration, LEGACY, "orders")
    assert "unknown to the monolith" in "".join(back.warnings)


async def test_flipping_to_where_it_stands_does_nothing(world: World, migration: Migration) -> None:
    before = list(world.journal())
    assert (await flip(migration, LEGACY)).done
    assert list(world.journal()) == before


@pytest.mark.parametrize("state", [LEGACY, SHADOW, canary(10), EXTRACTED, RETIRED])
async def test_rollback_leads_to_legacy_from_every_state_and_holds(
    world: World, migration: Migration, state: Position
) -> None:
    await lead(world, migration, state)
    [outcome] = await migration.rollback(["items"], who="bob")
    assert (outcome.before, outcome.after, outcome.held, outcome.refusals) == (state, LEGACY, True, ())
    assert place(migration) == LEGACY
    assert "items: {state: legacy" in world.path.read_text()
    assert codes(await flip(migration, SHADOW, force=True)) == ["held"]
    entry = list(world.journal())[-1]
    assert (entry.event, entry.before, entry.after) == (JournalEvent.ROLLBACK, state, LEGACY)


async def test_a_rollback_of_several_units_is_one_swap(world: World, migration: Migration) -> None:
    await flip(migration, SHADOW)
    await flip(migration, SHADOW, "orders")
    swaps = len(world.served)
    await migration.rollback(["items", "orders"], who="bob")
    assert len(world.served) == swaps + 1
    assert (place(migration), place(migration, "orders")) == (LEGACY, LEGACY)


async def test_a_second_rollback_is_no_news(world: World, migration: Migration) -> None:
    await migration.rollback(["items"], who="bob")
    before = list(world.journal())
    [outcome] = await migration.rollback(["items"], who="bob")
    assert outcome.held
    assert list(world.journal()) == before


async def test_a_hold_outlives_restart_file_and_deploy_until_it_is_released(world: World, migration: Migration) -> None:
    await lead(world, migration, SHADOW)
    await migration.rollback(["items"], who="bob")
    world.edit("items: {state: legacy", "items: {state: shadow")
    reloaded = await migration.reload()
    assert [codes(kept) for kept in reloaded.kept] == [["held"]]
    again = await restarted(world, migration)
    assert place(again) == LEGACY
    assert codes(await flip(again, SHADOW)) == ["held"]
    assert (await again.release("items", who="bob")).done
    assert (await flip(again, SHADOW)).done
    await again.aclose()


async def test_a_flip_back_sets_no_hold(world: World, migration: Migration) -> None:
    await lead(world, migration, canary(10))
    back = await migration.flip("items", LEGACY, who="alice")
    assert (back.done, back.held) == (True, False)
    assert (await flip(migration, SHADOW)).done


async def test_retired_is_reopened_by_a_rollback_alone(world: World, migration: Migration) -> None:
    await lead(world, migration, RETIRED)
    assert codes(await flip(migration, EXTRACTED, force=True)) == ["retired"]
    world.edit("items: {state: retired", "items: {state: legacy")
    assert [codes(kept) for kept in (await migration.reload()).kept] == [["retired"]]
    await migration.rollback(["items"], who="bob")
    assert place(migration) == LEGACY


async def test_retired_needs_persisted_counters_without_a_legacy_request(world: World, migration: Migration) -> None:
    await lead(world, migration, EXTRACTED)
    world.stats.route("item-read").last_legacy_at = world.now - 60
    world.now += DAY / 2
    assert codes(await flip(migration, RETIRED, force=True)) == ["legacy_traffic"]
    again = await restarted(world, migration)
    assert codes(await flip(again, RETIRED)) == ["legacy_traffic"]
    world.now += DAY
    assert (await flip(again, RETIRED)).done
    await again.aclose()


async def test_the_first_start_adopts_the_file_as_it_stands(world: World) -> None:
    world.edit("items: {state: legacy", "items: {state: canary, share: 12.5")
    migration = world.controller()
    first = await migration.start()
    assert position_of(first.movables["items"]) == canary(12.5)
    assert world.served == []
    entries = list(world.journal())
    assert {(e.unit, e.event, e.who) for e in entries} == {(u, JournalEvent.ADOPTED, "file") for u in first.movables}
    assert {e.why for e in entries} == {f"file {load(world.path.read_text(), {}).digest}"}
    await migration.aclose()


async def test_a_new_unit_in_a_later_file_is_adopted(world: World, migration: Migration) -> None:
    more = "- {id: more, state: shadow, match: {path: /more}, legacy: monolith, extracted: items}"
    world.edit("- id: search", f"{more}\n  - id: search")
    await migration.reload()
    assert place(migration, "more") == SHADOW
    assert list(world.journal())[-1].event is JournalEvent.ADOPTED


async def test_an_edited_file_passes_the_same_edges(world: World, migration: Migration) -> None:
    world.edit("items: {state: legacy", "items: {state: shadow")
    reloaded = await migration.reload()
    assert [(o.unit, o.before, o.after) for o in reloaded.moved] == [("items", LEGACY, SHADOW)]
    assert place(migration) == SHADOW
    entry = list(world.journal())[-1]
    digest = load(world.path.read_text(), {}).digest
    assert (entry.event, entry.who, entry.why) == (JournalEvent.FILE, "file", f"file {digest}")


async def test_a_refused_wish_of_the_file_keeps_that_unit_alone(world: World, migration: Migration) -> None:
    world.edit("items: {state: legacy", "items: {state: extracted")
    world.edit("state: legacy  # writes", "state: shadow")
    world.edit('path: "/search"', 'path: "/find"')
    reloaded = await migration.reload()
    assert [codes(kept) for kept in reloaded.kept] == [["step"]]
    assert (place(migration), place(migration, "orders")) == (LEGACY, SHADOW)
    assert any(route.path == "/find" for route in migration.served.routes)
    [different] = (await migration.diff()).units
    assert (different.unit, different.file, different.served) == ("items", EXTRACTED, LEGACY)
    assert "cannot jump" in different.reason
    refused = [entry for entry in world.journal() if entry.event is JournalEvent.REFUSED]
    assert [(entry.asked, entry.after) for entry in refused] == [(EXTRACTED, LEGACY)]


async def test_a_refusal_is_journalled_once_and_judged_again_at_every_reload(
    world: World, migration: Migration
) -> None:
    world.down.add("items")
    world.edit("items: {state: legacy", "items: {state: shadow")
    for _ in range(3):
        assert [codes(kept) for kept in (await migration.reload()).kept] == [["unreachable"]]
    assert len([entry for entry in world.journal() if entry.event is JournalEvent.REFUSED]) == 1
    world.down.clear()
    assert [moved.after for moved in (await migration.reload()).moved] == [SHADOW]


async def test_a_restart_judges_the_file_it_finds(world: World, migration: Migration) -> None:
    await migration.aclose()
    world.edit("items: {state: legacy", "items: {state: extracted")
    again = world.controller()
    await again.start()
    assert place(again) == LEGACY
    assert (await again.diff()).units[0].file == EXTRACTED
    await again.aclose()


async def test_a_file_that_goes_back_is_followed_without_a_hold(world: World, migration: Migration) -> None:
    await lead(world, migration, canary(10))
    world.edit("items: {state: canary", "items: {state: legacy")
    await migration.reload()
    assert place(migration) == LEGACY
    assert migration.standings["items"].hold is None


async def test_a_file_that_could_not_be_written_asks_for_nothing_at_a_restart(
    world: World, migration: Migration
) -> None:
    world.path.chmod(0o444)
    await lead(world, migration, canary(10))
    assert world.path.read_text() == ROUTES
    assert (await migration.reload()).moved == ()
    again = await restarted(world, migration)
    assert place(again) == canary(10)
    [different] = (await again.diff()).units
    assert "not written" in different.reason
    await again.aclose()


async def test_a_flip_overtakes_what_the_file_asked_in_vain(world: World, migration: Migration) -> None:
    await lead(world, migration, canary(10))
    world.down.add("items")
    world.edit("share: 10", "share: 50")
    world.path.chmod(0o444)
    assert (await migration.reload()).kept
    world.down.clear()
    assert (await flip(migration, canary(20))).done
    assert (await migration.reload()).moved == ()
    assert place(migration) == canary(20)


async def test_a_rollback_works_with_a_read_only_file_and_outlives_the_restart(
    world: World, migration: Migration
) -> None:
    await lead(world, migration, canary(10))
    world.path.chmod(0o444)
    [outcome] = await migration.rollback(["items"], who="bob")
    assert "read-only" in "".join(outcome.warnings)
    again = await restarted(world, migration)
    assert (place(again), again.standings["items"].hold is not None) == (LEGACY, True)
    await again.aclose()


async def test_a_rollback_works_while_another_part_of_the_file_is_faulty(world: World, migration: Migration) -> None:
    await lead(world, migration, canary(10))
    world.edit("extracted: items", "extracted: nobody")
    assert (await migration.reload()).faults
    [outcome] = await migration.rollback(["items"], who="bob")
    assert (outcome.warnings, place(migration)) == ((), LEGACY)
    assert "items: {state: legacy" in world.path.read_text()
    assert (await migration.diff()).faults


@pytest.mark.parametrize("content", ["", "version: 1\nroutes: [", "\x00", None])
async def test_a_file_that_does_not_validate_is_refused_whole(
    world: World, migration: Migration, content: str | None
) -> None:
    served = migration.served
    if content is None:
        world.path.unlink()
    else:
        world.path.write_text(content)
    reloaded = await migration.reload()
    assert reloaded.faults
    assert (migration.served, migration.faults, migration.failed_reloads) == (served, reloaded.faults, 1)
    world.path.write_text(ROUTES)
    assert (await migration.reload()).faults == migration.faults == ()


async def test_a_bad_file_stops_the_first_start(world: World) -> None:
    world.path.write_text("version: 1\n")
    with pytest.raises(RoutesInvalid):
        await world.controller().start()


async def test_a_table_that_cannot_be_served_leaves_the_old_one_and_its_states(
    world: World, migration: Migration
) -> None:
    served = migration.served
    world.unservable = True
    assert codes(await flip(migration, SHADOW)) == ["not_served"]
    world.edit("state: legacy  # writes", "state: shadow")
    assert "cannot be loaded" in "".join((await migration.reload()).faults)
    assert migration.served is served
    world.unservable = False
    world.edit("state: shadow", "state: legacy")
    again = await restarted(world, migration)
    assert (place(again), place(again, "orders")) == (LEGACY, LEGACY)
    await again.aclose()


async def test_without_a_state_directory_it_serves_and_flips_are_off(world: World) -> None:
    migration = world.controller(away=True)
    await migration.start()
    assert migration.problem is not None
    assert "Read-only" in migration.problem
    outcome = await flip(migration, SHADOW)
    assert codes(outcome) == ["journal"]
    assert "flips are off" in outcome.reason
    assert codes(await migration.flip("items", SHADOW, who="a", why="?", dry_run=True)) == ["journal"]
    assert (place(migration), world.path.read_text()) == (LEGACY, ROUTES)
    await migration.aclose()


async def test_a_real_directory_that_cannot_be_made_is_the_same(world: World) -> None:
    (world.folder / "state").write_text("a file is in the way")
    migration = world.controller(journal=Journal(world.state_dir))
    await migration.start()
    assert migration.problem is not None
    assert codes(await flip(migration, SHADOW, "orders", force=True)) == ["journal"]
    await migration.rollback(["items"], who="bob")
    assert codes(await flip(migration, SHADOW)) == ["held"]
    await migration.aclose()


async def test_a_rollback_works_in_memory_and_is_journalled_when_the_disk_is_back(
    world: World, migration: Migration
) -> None:
    await lead(world, migration, canary(10))
    world.disk.away = True
    [outcome] = await migration.rollback(["items"], who="bob")
    assert place(migration) == LEGACY
    assert "in memory" in "".join(outcome.warnings)
    assert codes(await flip(migration, SHADOW)) == ["held"]
    assert migration.log(1)[0].event is JournalEvent.ROLLBACK
    world.disk.away = False
    again = await restarted(world, migration)
    assert (place(again), again.standings["items"].hold is not None) == (LEGACY, True)
    await again.aclose()


async def test_flips_are_on_again_when_the_disk_is_back(world: World) -> None:
    migration = world.controller(away=True)
    await migration.start()
    world.disk.away = False
    assert (await flip(migration, SHADOW)).done
    assert migration.problem is None
    assert [e.event for e in world.journal() if e.unit == "items"] == [JournalEvent.ADOPTED, JournalEvent.FLIP]
    await migration.aclose()


async def test_a_second_gateway_waits_for_the_first_to_leave(world: World, migration: Migration) -> None:
    first_disk = world.disk
    second = world.controller(save_every_s=0.01)
    await second.start()
    assert "another gateway uses" in (second.problem or "")
    assert codes(await flip(second, SHADOW)) == ["journal"]
    await asyncio.to_thread(first_disk.close)
    await until(lambda: second.problem is None)
    assert (await flip(second, SHADOW)).done
    await second.aclose()


async def test_a_flip_back_works_without_the_disk(world: World, migration: Migration) -> None:
    await lead(world, migration, canary(10))
    world.disk.away = True
    outcome = await flip(migration, canary(1))
    assert outcome.done
    assert "in memory" in "".join(outcome.warnings)
    assert place(migration) == canary(1)


async def test_a_file_moves_nothing_forward_without_the_disk(world: World, migration: Migration) -> None:
    world.disk.away = True
    world.edit("items: {state: legacy", "items: {state: shadow")
    world.edit('path: "/search"', 'path: "/find"')
    assert [codes(kept) for kept in (await migration.reload()).kept] == [["journal"]]
    assert place(migration) == LEGACY
    assert any(route.path == "/find" for route in migration.served.routes)
    assert "flips are off" in (await migration.diff()).units[0].reason


async def test_a_crash_between_journal_and_file_loses_no_flip(world: World, migration: Migration) -> None:
    await flip(migration, SHADOW)
    await migration.aclose()
    world.path.write_text(ROUTES)
    (world.state_dir / "routes-seen.json").write_text('{"items": {"state": "legacy"}}')
    again = world.controller()
    await again.start()
    assert place(again) == SHADOW
    await again.aclose()


async def test_two_flips_at_once_come_one_after_the_other(world: World, migration: Migration) -> None:
    await flip(migration, SHADOW)
    world.compared()
    first, second = await asyncio.gather(flip(migration, canary(5)), flip(migration, canary(50)))
    assert {first.before, second.before} == {SHADOW, canary(5)}
    assert [position_of(table.movables["items"]) for table in world.served] == [SHADOW, canary(5), canary(50)]
    journalled = [(entry.before, entry.after) for entry in world.journal() if entry.event is JournalEvent.FLIP]
    assert journalled == [(LEGACY, SHADOW), (SHADOW, canary(5)), (canary(5), canary(50))]


async def test_a_rollback_waits_for_no_preflight_and_wins_against_the_flip(world: World, migration: Migration) -> None:
    await lead(world, migration, canary(10))
    world.slow = asyncio.Event()
    world.asked.clear()
    flipping = asyncio.create_task(flip(migration, canary(50)))
    await world.asked.wait()
    [outcome] = await migration.rollback(["items"], who="bob")
    assert (outcome.after, place(migration)) == (LEGACY, LEGACY)
    world.slow.set()
    assert "held" in codes(await flipping)
    assert place(migration) == LEGACY


async def test_a_rollback_waits_for_no_disk_and_wins_against_the_flip(world: World, migration: Migration) -> None:
    await lead(world, migration, canary(10))
    world.disk.hangs = threading.Event()
    world.asked.clear()
    flipping = asyncio.create_task(flip(migration, canary(50)))
    await world.asked.wait()
    await until(lambda: world.disk.writing)
    rolling_back = asyncio.create_task(migration.rollback(["items"], who="bob"))
    await asyncio.sleep(0)
    assert place(migration) == LEGACY
    world.disk.hangs.set()
    assert codes(await flipping) == ["overtaken"]
    await rolling_back
    again = await restarted(world, migration)
    assert (place(again), again.standings["items"].hold is not None) == (LEGACY, True)
    await again.aclose()


async def test_a_rollback_answers_though_the_disk_never_does(
    world: World, migration: Migration, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("strangler_gateway.migration.migration.RECORD_TIMEOUT_S", 0.05)
    await flip(migration, SHADOW)
    world.disk.hangs = threading.Event()
    [outcome] = await migration.rollback(["items"], who="bob")
    assert (outcome.after, outcome.held) == (LEGACY, True)
    assert "the disk has not answered" in "".join(outcome.warnings)
    world.disk.hangs.set()
    again = await restarted(world, migration)
    assert again.standings["items"].hold is not None
    await again.aclose()


async def test_a_reload_of_what_is_served_swaps_nothing(world: World, migration: Migration) -> None:
    await migration.reload()
    assert world.served == []


async def test_a_route_of_a_group_is_moved_by_its_group(migration: Migration) -> None:
    assert [u.name if (u := migration.unit_of(n)) else None for n in ("items", "item-read", "search", "nobody")] == [
        "items",
        "items",
        "search",
        None,
    ]
