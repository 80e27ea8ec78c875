"""The controller: what is served, journalled and written, whoever asks and whatever is away."""

import asyncio
import threading
from bisect import bisect_left
from collections.abc import Callable
from dataclasses import asdict

import pytest

from strangler_gateway.config.file import load
from strangler_gateway.evidence.snapshot import RuleName, Snapshot
from strangler_gateway.migration.journal.directory_lock import StateDirInUse
from strangler_gateway.migration.journal.journal import Journal
from strangler_gateway.migration.journal.journal_entry import JournalEvent
from strangler_gateway.migration.migration import Migration
from strangler_gateway.migration.rules.move_result import MoveResult
from strangler_gateway.migration.states import SeenReport
from strangler_gateway.table.position import Position, position_of
from strangler_gateway.table.routes import MigrationState
from strangler_gateway.telemetry.histogram import BYTES
from strangler_gateway.telemetry.migration_steps.parity import DIFFERENT, EQUAL
from tests.support.gateway.migrating import EXTRACTED, LEGACY, RETIRED, ROUTES, SHADOW, World, canary, reported

DAY = 86400.0
ITEMS_LEGACY, ITEMS_SHADOW = "items: {state: legacy", "items: {state: shadow"


def codes(*results: MoveResult) -> list[str]:
    return [refusal.code for result in results for refusal in result.refusals]


def place(controller: Migration, unit: str = "items") -> Position:
    return position_of(controller.served.movables[unit])


def answered_slowly(world: World, number: int) -> None:
    """So many answers of the same size from each side, those of the new side later."""
    timings = world.stats.steps["items"].timings.of("item-read")
    timings.seconds_legacy[50] = timings.seconds_new[60] = number
    timings.bytes_legacy[bisect_left(BYTES, 1000)] = timings.bytes_new[bisect_left(BYTES, 1000)] = number


async def flip(
    controller: Migration,
    to: Position,
    unit: str = "items",
    *,
    force: bool = False,
    report: SeenReport | None = None,
) -> MoveResult:
    return await controller.flip(unit, to, who="alice", why="because", force=force, report=report)


async def roll_back(controller: Migration) -> MoveResult:
    [result] = await controller.rollback(["items"], who="bob")
    assert (result.after, result.held, result.refusals, place(controller)) == (LEGACY, True, (), LEGACY)
    return result


async def lead(world: World, controller: Migration, to: Position) -> None:
    """The whole way forward, as one should go it."""
    for step in (SHADOW, canary(10), EXTRACTED, RETIRED):
        if place(controller) == to:
            return
        result = await flip(controller, step, report=reported(world, step))
        assert result.done, result
        if step == SHADOW:
            world.compared()
        if step == canary(10):
            world.served_both()
        world.now += 2 * DAY
    assert place(controller) == to


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not true():
            await asyncio.sleep(0.001)


async def restarted(world: World, controller: Migration, file: str | None = None) -> Migration:
    """`file`: what somebody has made of the routes file meanwhile."""
    await controller.aclose()
    if file is not None:
        world.path.write_text(file)
    return await world.started()


async def assert_held_after_restart(world: World, controller: Migration) -> None:
    again = await restarted(world, controller)
    assert place(again) == LEGACY
    assert codes(await flip(again, SHADOW)) == ["held"]


# Flips.


async def test_a_flip_serves_journals_and_writes_the_file(world: World, migration: Migration) -> None:
    result = await flip(migration, SHADOW)
    assert (result.before, result.after, result.undo) == (LEGACY, SHADOW, (LEGACY,))
    assert result.digest == migration.served.digest == world.served[-1].digest
    assert len(world.served) == 1
    assert all(r.movable.state is MigrationState.SHADOW for r in migration.served.routes if r.movable.name == "items")
    entry = world.last()
    assert (entry.event, entry.unit, entry.who, entry.why) == (JournalEvent.FLIP, "items", "alice", "because")
    assert (entry.before, entry.after, entry.digest, entry.time) == (LEGACY, SHADOW, result.digest, world.now)
    assert world.path.read_text() == ROUTES.replace(ITEMS_LEGACY, ITEMS_SHADOW)


async def test_the_written_file_says_exactly_what_is_served_so_a_reload_swaps_nothing(
    world: World, migration: Migration
) -> None:
    await lead(world, migration, canary(10))
    assert load(world.path.read_text(), {}).digest == migration.served.digest
    swaps = len(world.served)
    reloaded = await migration.reload()
    assert (reloaded.moved, reloaded.kept, reloaded.digest) == ((), (), migration.served.digest)
    assert len(world.served) == swaps


@pytest.mark.parametrize(
    ("to", "dry_run", "refused", "after"),
    [(EXTRACTED, False, ["step"], LEGACY), (SHADOW, True, [], SHADOW), (LEGACY, False, [], LEGACY)],
    ids=["refused", "dry run", "to where it stands"],
)
async def test_what_moves_nothing_changes_nothing(
    world: World, migration: Migration, to: Position, dry_run: bool, refused: list[str], after: Position
) -> None:
    before = list(world.journal())
    result = await migration.flip("items", to, who="alice", why="?", dry_run=dry_run)
    assert (codes(result), result.before, result.after, result.dry_run) == (refused, LEGACY, after, dry_run)
    assert (list(world.journal()), world.served, world.path.read_text()) == (before, [], ROUTES)


async def test_a_service_that_accepts_no_connection_stops_a_flip_and_force_overrides_it(
    world: World, migration: Migration
) -> None:
    world.down.add("items")
    assert codes(await flip(migration, SHADOW)) == ["unreachable"]
    forced = await flip(migration, SHADOW, force=True)
    assert (forced.done, [r.code for r in forced.overridden]) == (True, ["unreachable"])
    assert world.last().forced == ("unreachable",)


async def test_entering_shadow_again_counts_anew(world: World, migration: Migration) -> None:
    await flip(migration, SHADOW)
    world.compared(different=2)
    world.examples = {"item-read": [{"place": "$.latest"}, {"place": "$.older"}]}
    [refusal] = (await flip(migration, canary(1))).refusals
    assert (refusal.code, refusal.example) == ("differences", {"place": "$.latest"})
    await flip(migration, LEGACY)
    await flip(migration, SHADOW)
    assert codes(await flip(migration, canary(1))) == ["not_compared"]
    world.compared()
    assert (await flip(migration, canary(1))).done


async def test_what_shadow_counted_outlives_a_restart_but_lost_counters_are_not_taken_for_comparisons(
    world: World, migration: Migration
) -> None:
    world.compared(different=9)
    await flip(migration, SHADOW)
    world.compared()
    again = await restarted(world, migration)
    assert (await again.flip("items", canary(1), who="alice", why="?", dry_run=True)).refusals == ()
    await again.aclose()
    (world.state_dir / "counters.json").write_text("{half")
    world.now += 1
    anew = await world.started()
    assert codes(await flip(anew, canary(1))) == ["not_compared"]
    world.compared(different=1)
    assert codes(await flip(anew, canary(1))) == ["differences"]


async def test_retired_needs_persisted_counters_without_a_legacy_request(world: World, migration: Migration) -> None:
    await lead(world, migration, EXTRACTED)
    world.stats.route("item-read").last_legacy_at = world.now - 60
    world.now += DAY / 2
    assert codes(await flip(migration, RETIRED, force=True)) == ["legacy_traffic", "report"]
    again = await restarted(world, migration)
    assert codes(await flip(again, RETIRED, report=reported(world, RETIRED))) == ["legacy_traffic"]
    world.now += DAY
    assert codes(await flip(again, RETIRED, force=True)) == ["report"]
    assert (await flip(again, RETIRED, report=reported(world, RETIRED))).done
    evidence, report = world.last().evidence, reported(world, RETIRED)
    assert evidence is not None
    assert report is not None
    assert evidence["report"] == asdict(report)


# The gate.


async def test_a_step_from_canary_needs_evidence_and_force_leaves_it_in_the_journal(
    world: World, migration: Migration
) -> None:
    await flip(migration, SHADOW)
    world.compared()
    await flip(migration, canary(10))
    assert codes(await flip(migration, canary(50))) == ["wait"]
    world.served_both(failed=20, of=20)
    for to in (canary(50), EXTRACTED):
        [refusal] = (await flip(migration, to)).refusals
        assert (refusal.code, "20 of 20" in refusal.message, refusal.forcible) == ("worse", True, True)
    forced = await flip(migration, canary(50), force=True)
    assert (forced.done, [refusal.code for refusal in forced.overridden]) == (True, ["worse"])
    entry = world.last()
    assert (entry.forced, "20 of 20" in entry.reasons[0]) == (("worse",), True)
    assert entry.evidence is not None
    [failures] = [one for one in entry.evidence["rules"] if one["rule"] == "failures"]
    assert (entry.evidence["verdict"], failures["verdict"]) == ("WORSE", "WORSE")
    assert failures["numbers"]["extracted"] == {"failed": 20, "of": 20}


async def test_a_slow_service_is_refused_by_numbers_and_too_few_answers_refuse_nothing(
    world: World, migration: Migration
) -> None:
    await lead(world, migration, canary(10))
    world.served_both()
    assert verdicts(await migration.evidence("items"), "latency") == ("WAIT", "PASS")
    answered_slowly(world, 1800)
    known = await migration.evidence("items")
    assert (verdicts(known, "latency"), verdicts(known, "size")) == (("SLOW", "SLOW"), ("PASS", "SLOW"))
    [refusal] = (await flip(migration, canary(50))).refusals
    assert (refusal.code, refusal.forcible) == ("slow", True)
    assert "100 % of 1800 are above 1.2 × legacy's p50" in refusal.message
    world.edit("gate: {min: 10}", "gate: {min: 10, p95_ratio: 4}")
    await migration.reload()
    assert (await flip(migration, canary(50))).done
    assert world.last().evidence is not None
    world.edit(
        "gate: {min: 10, p95_ratio: 4}", "gate: {min: 10}, plan: {steps: [extracted], require: {p95_ratio: 1.2}}"
    )
    await migration.reload()
    world.served_both()
    assert verdicts(await migration.evidence("items"), "latency") == ("WAIT", "WAIT")
    assert (await flip(migration, canary(60))).done


async def test_in_extracted_durations_are_compared_with_those_who_are_kept_back_and_else_it_says_why_not(
    world: World, migration: Migration
) -> None:
    await lead(world, migration, canary(10))
    assert (await flip(migration, canary(100), force=True)).done
    assert "at a share of 100 % legacy has no requests" in (await migration.evidence("items")).rule("latency").says
    assert (await flip(migration, EXTRACTED, force=True)).done
    alone = (await migration.evidence("items")).rule("latency")
    assert (alone.verdict, "`holdback: 1%`" in alone.says) == ("OFF", True)
    answered_slowly(world, 1800)
    assert verdicts(await migration.evidence("items"), "latency") == ("SLOW", "SLOW")


async def test_an_accepted_difference_counts_no_more_until_its_last_day_is_over(
    world: World, migration: Migration
) -> None:
    await flip(migration, SHADOW)
    route = migration.served.routes[0]
    for names in ([], ["type $.price"], ["type $.price"], ["header header etag"]) * 3:
        world.stats.compared(route, 200, DIFFERENT if names else EQUAL, names)
    assert codes(await flip(migration, canary(10))) == ["differences"]
    accept = 'accept: [{path: "$.price", kind: type, why: "read as text", until: "1970-01-13"}], '
    world.edit("gate: {min: 10}", accept + "gate: {min: 10}")
    await migration.reload()
    numbers = (await migration.evidence("items")).rule("parity").numbers
    assert (numbers["equal"], numbers["different"], numbers["accepted"]) == (9, 3, 6)
    counted, accepting = world.stats.route("item-read"), migration.served.routes[0]
    assert (counted.shadow_differing, counted.shadow_accepted) == (9, 0)  # counted before anybody accepted them
    assert [(one["path"], one["answers"], one["accepted"]) for one in numbers["names"]] == [
        ("$.price", 6, True),
        ("header etag", 3, False),
    ]
    world.edit("gate: {min: 10}", "gate: {min: 10, parity: 60}")
    await migration.reload()
    before = world.now
    assert verdicts(await migration.evidence("items"), "parity")[0] == "WAIT"
    for _ in range(40):
        world.stats.compared(route, 200, EQUAL, [])
    assert verdicts(await migration.evidence("items"), "parity")[0] == "PASS"
    for names in (["type $.price"], ["type $.price", "header header etag"]):
        world.stats.compared(accepting, 200, DIFFERENT, names)
    assert (counted.shadow_differing, counted.shadow_accepted) == (10, 1)
    world.now = 13 * DAY
    world.stats.compared(accepting, 200, DIFFERENT, ["type $.price"])
    assert (counted.shadow_differing, counted.shadow_accepted) == (11, 1)
    assert (await migration.evidence("items")).rule("parity").numbers["different"] == 12
    world.now = before
    assert (await flip(migration, canary(10))).done


async def test_a_rare_status_class_that_always_differs_is_found_among_many_equal_answers(
    world: World, migration: Migration
) -> None:
    await flip(migration, SHADOW)
    route = migration.served.routes[0]
    for status in [200] * 5000 + [404] * 4:
        world.stats.compared(route, status, DIFFERENT if status == 404 else EQUAL, ["status status"])
    [refusal] = (await flip(migration, canary(10))).refusals
    assert (refusal.code, "item-read 4xx 4 of 4" in refusal.message) == ("differences", True)
    assert verdicts(await migration.evidence("items"), "parity") == ("DIFFERENT", "DIFFERENT")


def verdicts(known: Snapshot, name: RuleName) -> tuple[str, str]:
    """The verdict of a rule, and of all."""
    return known.rule(name).verdict, known.verdict


async def test_each_step_counts_anew_and_its_counts_outlive_a_restart(world: World, migration: Migration) -> None:
    await lead(world, migration, canary(10))
    world.served_both(failed=40)
    again = await restarted(world, migration)
    assert codes(await flip(again, canary(50))) == ["worse"]
    assert (await flip(again, canary(5))).done
    assert codes(await flip(again, canary(50))) == ["wait"]


async def test_the_file_asks_the_same_gate(world: World, migration: Migration) -> None:
    await flip(migration, SHADOW)
    world.compared()
    await flip(migration, canary(10))
    world.edit("share: 10", "share: 50")
    assert codes(*(await migration.reload()).kept) == ["wait"]
    world.served_both()
    assert [moved.after for moved in (await migration.reload()).moved] == [canary(50)]


async def test_a_route_that_the_new_side_was_never_asked_for_is_named(world: World, migration: Migration) -> None:
    world.edit(
        "  - id: search",
        "  - {id: rare, group: items, match: {path: /rare}, legacy: monolith, extracted: items}\n  - id: search",
    )
    await migration.reload()
    await flip(migration, SHADOW, force=True)
    world.compared()
    await flip(migration, canary(10), force=True)
    world.served_both()
    rare = world.stats.route("rare")
    rare.last_legacy_at = world.now - DAY / 2
    [refusal] = (await flip(migration, canary(50))).refusals
    assert (refusal.code, "rare" in refusal.message, "12 h" in refusal.message) == ("never_asked", True, True)
    world.served_both("rare", of=1)
    assert (await flip(migration, canary(50))).done
    world.served_both()
    assert (await flip(migration, EXTRACTED)).done  # asked in an earlier step of this canary


async def test_looks_are_taken_by_themselves(world: World) -> None:
    world.edit(ITEMS_LEGACY, "items: {state: canary, share: 10")
    migration = await world.started(save_every_s=0.01)
    world.served_both(of=10)
    await until(lambda: bool(world.stats.steps["items"].look))
    world.served_both(failed=1, of=9)  # 19: the next look is at 20
    assert (await flip(migration, canary(50))).done


# Rollbacks and holds.


@pytest.mark.parametrize("state", [LEGACY, SHADOW, canary(10), EXTRACTED, RETIRED])
async def test_rollback_leads_to_legacy_from_every_state_and_holds(
    world: World, migration: Migration, state: Position
) -> None:
    await lead(world, migration, state)
    assert (await roll_back(migration)).before == state
    assert ITEMS_LEGACY in world.path.read_text()
    assert codes(await flip(migration, SHADOW, force=True)) == ["held"]
    entry, before = world.last(), list(world.journal())
    assert (entry.event, entry.before, entry.after) == (JournalEvent.ROLLBACK, state, LEGACY)
    await roll_back(migration)
    assert list(world.journal()) == before  # a second one is no news


async def test_a_rollback_of_several_units_is_one_swap(world: World, migration: Migration) -> None:
    await flip(migration, SHADOW)
    await flip(migration, SHADOW, "orders")
    await migration.rollback(["items", "orders"], who="bob")
    assert (len(world.served), place(migration), place(migration, "orders")) == (3, LEGACY, LEGACY)


def make_read_only(world: World) -> None:
    world.path.chmod(0o444)


def make_faulty(world: World) -> None:
    world.edit("extracted: items", "extracted: nobody")


def take_the_disk(world: World) -> None:
    world.disk.away = True


def stop_the_disk(world: World) -> None:
    world.disk.hangs = threading.Event()


@pytest.mark.parametrize(
    ("obstruct", "warning", "written"),
    [
        (make_read_only, "read-only", False),
        (make_faulty, "", True),
        (take_the_disk, "in memory", True),
        (stop_the_disk, "the disk has not answered", False),
    ],
)
async def test_a_rollback_works_whatever_is_broken_and_outlives_the_restart(
    world: World,
    migration: Migration,
    monkeypatch: pytest.MonkeyPatch,
    obstruct: Callable[[World], None],
    warning: str,
    written: bool,
) -> None:
    if obstruct is stop_the_disk:
        monkeypatch.setattr("strangler_gateway.migration.controller.rollbacks.RECORD_TIMEOUT_S", 0.05)
    await lead(world, migration, canary(10))
    obstruct(world)
    assert bool((await migration.reload()).faults) == (obstruct is make_faulty)
    told = "".join((await roll_back(migration)).warnings)
    assert (warning in told, bool(told)) == (True, bool(warning))
    assert (ITEMS_LEGACY in world.path.read_text()) == written
    assert codes(await flip(migration, SHADOW)) == ["held"]
    assert migration.log(1)[0].event is JournalEvent.ROLLBACK
    world.disk.away = False
    if world.disk.hangs is not None:
        world.disk.hangs.set()
    if obstruct is make_faulty:
        world.edit("extracted: nobody", "extracted: items")
    await assert_held_after_restart(world, migration)


async def test_a_hold_outlives_restart_file_and_deploy_until_it_is_released(world: World, migration: Migration) -> None:
    await lead(world, migration, SHADOW)
    await roll_back(migration)
    world.edit(ITEMS_LEGACY, ITEMS_SHADOW)
    assert codes(*(await migration.reload()).kept) == ["held"]
    again = await restarted(world, migration)
    assert (place(again), codes(await flip(again, SHADOW))) == (LEGACY, ["held"])
    assert (await again.release("items", who="bob")).done
    assert (await flip(again, SHADOW)).done


async def test_a_move_back_by_flip_or_file_sets_no_hold(world: World, migration: Migration) -> None:
    await lead(world, migration, canary(10))
    back = await migration.flip("items", SHADOW, who="alice")
    assert (back.done, back.held) == (True, False)
    world.edit(ITEMS_SHADOW, ITEMS_LEGACY)
    await migration.reload()
    assert (place(migration), migration.standings["items"].hold) == (LEGACY, None)


async def test_retired_is_reopened_by_a_rollback_alone(world: World, migration: Migration) -> None:
    await lead(world, migration, RETIRED)
    assert codes(await flip(migration, EXTRACTED, force=True)) == ["retired"]
    world.edit("items: {state: retired", ITEMS_LEGACY)
    assert codes(*(await migration.reload()).kept) == ["retired"]
    await roll_back(migration)


# The routes file.


async def test_a_unit_that_the_journal_does_not_know_is_adopted_as_it_stands(world: World) -> None:
    world.edit(ITEMS_LEGACY, "items: {state: canary, share: 12.5")
    migration = await world.started()
    assert (place(migration), world.served) == (canary(12.5), [])
    digest = load(world.path.read_text(), {}).digest
    assert {(e.unit, e.event, e.who, e.why) for e in world.journal()} == {
        (u, JournalEvent.ADOPTED, "file", f"file {digest}") for u in migration.served.movables
    }
    more = "- {id: more, state: shadow, match: {path: /more}, legacy: monolith, extracted: items}"
    world.edit("- id: search", f"{more}\n  - id: search")
    await migration.reload()
    assert (place(migration, "more"), world.last().event) == (SHADOW, JournalEvent.ADOPTED)


async def test_an_edited_file_passes_the_same_edges_and_needs_the_journal(world: World, migration: Migration) -> None:
    world.disk.away = True
    world.edit(ITEMS_LEGACY, ITEMS_SHADOW)
    world.edit('path: "/search"', 'path: "/find"')
    assert codes(*(await migration.reload()).kept) == ["journal"]
    assert (place(migration), {"/find"} <= {route.path for route in migration.served.routes}) == (LEGACY, True)
    assert "flips are off" in (await migration.diff()).units[0].reason
    world.disk.away = False
    reloaded = await migration.reload()
    assert [(o.unit, o.before, o.after) for o in reloaded.moved] == [("items", LEGACY, SHADOW)]
    assert place(migration) == SHADOW
    entry, digest = world.last(), load(world.path.read_text(), {}).digest
    assert (entry.event, entry.who, entry.why) == (JournalEvent.FILE, "file", f"file {digest}")


async def test_a_refused_wish_of_the_file_keeps_that_unit_alone(world: World, migration: Migration) -> None:
    world.edit(ITEMS_LEGACY, "items: {state: extracted")
    world.edit("state: legacy  # writes", "state: shadow")
    world.edit('path: "/search"', 'path: "/find"')
    assert codes(*(await migration.reload()).kept) == ["step"]
    assert (place(migration), place(migration, "orders")) == (LEGACY, SHADOW)
    assert any(route.path == "/find" for route in migration.served.routes)
    diff = await migration.diff()
    [different] = diff.units
    assert (diff.same, different.unit, different.file, different.served) == (False, "items", EXTRACTED, LEGACY)
    assert "cannot jump" in different.reason
    refused = [entry for entry in world.journal() if entry.event is JournalEvent.REFUSED]
    assert [(entry.asked, entry.after) for entry in refused] == [(EXTRACTED, LEGACY)]
    again = await restarted(world, migration)
    assert (place(again), (await again.diff()).units[0].file) == (LEGACY, EXTRACTED)


async def test_a_refusal_is_journalled_once_and_judged_again_at_every_reload(
    world: World, migration: Migration
) -> None:
    world.down.add("items")
    world.edit(ITEMS_LEGACY, ITEMS_SHADOW)
    for _ in range(3):
        assert codes(*(await migration.reload()).kept) == ["unreachable"]
    assert len([entry for entry in world.journal() if entry.event is JournalEvent.REFUSED]) == 1
    world.down.clear()
    assert [moved.after for moved in (await migration.reload()).moved] == [SHADOW]


async def test_a_file_that_could_not_be_written_asks_for_nothing_at_a_restart(
    world: World, migration: Migration
) -> None:
    world.path.chmod(0o444)
    await lead(world, migration, canary(10))
    assert world.path.read_text() == ROUTES
    assert (await migration.reload()).moved == ()
    again = await restarted(world, migration)
    [different] = (await again.diff()).units
    assert (place(again), "not written" in different.reason) == (canary(10), True)


async def test_a_flip_overtakes_what_the_file_asked_in_vain(world: World, migration: Migration) -> None:
    await lead(world, migration, canary(10))
    world.down.add("items")
    world.edit("share: 10", "share: 50")
    world.path.chmod(0o444)
    assert (await migration.reload()).kept
    world.down.clear()
    assert (await flip(migration, canary(20))).done
    assert ((await migration.reload()).moved, place(migration)) == ((), canary(20))


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
    again = await restarted(world, migration, ROUTES)
    assert (place(again), place(again, "orders")) == (LEGACY, LEGACY)


# A state directory that is away.


async def test_without_a_state_directory_it_serves_and_flips_are_off_until_it_is_back(world: World) -> None:
    migration = await world.started(away=True)
    assert "Read-only" in (migration.problem or "")
    result = await flip(migration, SHADOW)
    assert (codes(result), "flips are off" in result.reason) == (["journal"], True)
    assert codes(await migration.flip("items", SHADOW, who="a", why="?", dry_run=True)) == ["journal"]
    assert (place(migration), world.path.read_text()) == (LEGACY, ROUTES)
    world.disk.away = False
    assert (await flip(migration, SHADOW)).done
    assert migration.problem is None
    assert [e.event for e in world.journal() if e.unit == "items"] == [JournalEvent.ADOPTED, JournalEvent.FLIP]
    world.disk.away = True
    back = await flip(migration, LEGACY)
    assert (back.done, "in memory" in "".join(back.warnings), place(migration)) == (True, True, LEGACY)


async def test_a_second_gateway_on_the_same_directory_does_not_start(world: World, migration: Migration) -> None:
    with pytest.raises(StateDirInUse, match="another gateway uses"):
        await world.started()


async def test_a_gateway_whose_directory_comes_back_waits_for_the_first_to_leave(
    world: World, migration: Migration
) -> None:
    first_disk = world.disk
    second = await world.started(away=True, save_every_s=0.01)
    world.disk.away = False
    await until(lambda: "another gateway uses" in (second.problem or ""))
    assert codes(await flip(second, SHADOW)) == ["journal"]
    await asyncio.to_thread(first_disk.close)
    await until(lambda: second.problem is None)
    assert (await flip(second, SHADOW)).done


async def test_a_crash_between_journal_and_file_loses_no_flip(world: World, migration: Migration) -> None:
    seen = world.state_dir / "routes-seen.json"
    before = seen.read_bytes()
    await flip(migration, SHADOW)
    seen.write_bytes(before)
    assert place(await restarted(world, migration, ROUTES)) == SHADOW


async def test_a_hold_and_a_retirement_need_only_the_newest_file_of_the_journal(world: World) -> None:
    migration = await world.started(journal=Journal(world.state_dir, 1000))
    await lead(world, migration, EXTRACTED)
    await migration.rollback(["orders"], who="bob")
    since = migration.standings["items"]
    for _ in range(20):
        await migration.rollback(["search"], who="bob")
        await migration.release("search", who="bob")
    await migration.aclose()
    older = list(world.state_dir.glob("journal.*.jsonl"))
    assert older
    for file in older:
        file.unlink()
    again = await world.started()
    assert again.standings["items"] == since
    assert codes(await flip(again, SHADOW, "orders")) == ["held"]
    assert (await flip(again, RETIRED, report=reported(world, RETIRED))).done


# At once.


async def test_two_flips_at_once_come_one_after_the_other(world: World, migration: Migration) -> None:
    await flip(migration, SHADOW)
    world.compared()
    first, second = await asyncio.gather(*(flip(migration, canary(share), force=True) for share in (5, 50)))
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
    await roll_back(migration)
    world.slow.set()
    assert ("held" in codes(await flipping), place(migration)) == (True, LEGACY)


@pytest.mark.parametrize("by_file", [False, True])
async def test_a_rollback_waits_for_no_disk_and_wins_against_the_move(
    world: World, migration: Migration, by_file: bool
) -> None:
    async def move() -> list[str]:
        if by_file:
            return codes(*(await migration.reload()).kept)
        return codes(await flip(migration, canary(50)))

    await lead(world, migration, canary(10))
    world.edit("share: 10", "share: 50" if by_file else "share: 10")
    world.disk.hangs = threading.Event()
    moving = asyncio.create_task(move())
    await until(lambda: world.disk.writing)
    rolling_back = asyncio.create_task(migration.rollback(["items"], who="bob"))
    await asyncio.sleep(0)
    assert place(migration) == LEGACY
    world.disk.hangs.set()
    assert await moving == ["overtaken"]
    await rolling_back
    assert place(migration) == LEGACY
    await assert_held_after_restart(world, migration)
