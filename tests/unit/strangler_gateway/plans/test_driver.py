"""A plan drives its group: each step when it is due, none twice, and nothing against a person or without evidence."""

import pytest

from strangler_gateway.cluster.store import StoreAway
from strangler_gateway.migration.journal.journal_entry import JournalEvent
from strangler_gateway.table.position import Position
from tests.support.gateway.migrating import EXTRACTED, LEGACY, SHADOW, World, canary
from tests.support.gateway.planned import PLAN, Driven, planned

HOUR = 3600.0


@pytest.fixture
async def driven(world: World) -> Driven:
    world.edit(*planned())
    return Driven(world, await world.started())


async def to_canary(driven: Driven) -> None:
    await driven.go_on(10)
    assert driven.position() == SHADOW
    driven.world.compared()
    await driven.go_on(HOUR)
    assert driven.position() == canary(10)


async def test_a_group_goes_all_the_way_by_itself_and_the_journal_says_why(driven: Driven, world: World) -> None:
    await to_canary(driven)
    world.served_both(of=600)
    await driven.go_on(HOUR + 10)
    assert driven.position() == canary(50)
    world.served_both(of=1200)
    await driven.go_on(60)
    assert driven.position() == EXTRACTED
    moves = [entry for entry in world.journal() if entry.unit == "items" and entry.event is JournalEvent.FLIP]
    assert [entry.after for entry in moves] == [SHADOW, canary(10), canary(50), EXTRACTED]
    assert {(entry.who, entry.automatic) for entry in moves} == {("plan", True)}
    assert moves[1].why.startswith("step 2 of 4: canary 10 %, after 1 h in shadow")
    assert all(entry.evidence is not None for entry in moves[1:])
    assert driven.events == ["advanced"] * 4
    await driven.go_on(HOUR)
    assert len([entry for entry in world.journal() if entry.event is JournalEvent.FLIP]) == 4


async def test_a_step_takes_its_time_and_its_evidence(driven: Driven, world: World) -> None:
    await driven.go_on(10)
    world.compared()
    await driven.go_on(HOUR - 30)
    assert driven.position() == SHADOW
    await driven.go_on(60)
    assert driven.position() == canary(10)
    await driven.go_on(20 * HOUR)
    assert driven.position() == canary(10)
    world.served_both(of=600, failed=300)
    await driven.go_on(HOUR)
    assert driven.position() == canary(10)
    assert driven.events[-1] == "needs_person"
    assert driven.events.count("needs_person") == 1


async def test_the_time_that_was_spent_outlives_a_restart(driven: Driven, world: World) -> None:
    await driven.go_on(10)
    world.compared()
    await driven.go_on(HOUR / 2)
    saved, counted = driven.here.book.snapshot(), world.stats.snapshot()
    await driven.migration.aclose()
    world.now += 5 * HOUR
    migration = world.controller()
    world.stats.restore(counted)
    await migration.start()
    again = Driven(world, migration)
    again.here.book.restore(saved)
    await again.go_on(HOUR / 2 - 60)
    assert again.position() == SHADOW
    await again.go_on(120)
    assert again.position() == canary(10)
    assert [entry.after for entry in world.journal() if entry.event is JournalEvent.FLIP] == [SHADOW, canary(10)]


async def test_a_wall_clock_that_jumps_moves_nothing(driven: Driven, world: World) -> None:
    await driven.go_on(10)
    world.compared()
    world.now += 1000 * HOUR
    await driven.go_on(60)
    assert driven.position() == SHADOW


async def test_without_the_lease_nothing_moves(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    async def taken() -> str | None:
        return None

    async def away() -> str | None:
        raise StoreAway("Consul has not answered since 12:01")

    for lease, problem in ((taken, "another gateway makes the moves"), (away, "Consul has not answered since 12:01")):
        monkeypatch.setattr(driven.migration, "lease", lease)
        await driven.go_on(60)
        assert driven.position() == LEGACY
        assert problem in str(driven.driver.problem)


async def test_a_lease_that_was_lost_meanwhile_moves_nothing(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    leases = set()

    async def refuses(group: str, record: object, index: object, driver: str | None = None) -> bool:
        leases.add(driver)
        return False

    monkeypatch.setattr(driven.migration.replica.store, "cas", refuses)
    await driven.go_on(60)
    assert driven.position() == LEGACY
    assert driven.events == []
    assert leases == {await driven.migration.lease()}


async def test_a_change_between_judging_and_moving_wins(driven: Driven, monkeypatch: pytest.MonkeyPatch) -> None:
    flip = driven.migration.flip

    async def pause_first(*args: object, **kwargs: object) -> object:
        monkeypatch.setattr(driven.migration, "flip", flip)
        await driven.migration.plan("items", lambda plan: type(plan)(paused=True, by="ada"), who="ada", why="paused")
        return await flip(*args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(driven.migration, "flip", pause_first)
    await driven.go_on(HOUR)
    assert driven.position() == LEGACY


async def test_a_hold_keeps_the_plan_back_and_a_release_lets_it_go_on(driven: Driven, world: World) -> None:
    await to_canary(driven)
    await driven.migration.rollback(["items"], who="ada", why="errors")
    await driven.go_on(HOUR)
    assert driven.position() == LEGACY
    await driven.migration.release("items", who="ada")
    await driven.go_on(10)
    assert driven.position() == SHADOW


async def test_a_move_by_hand_is_where_the_plan_goes_on(driven: Driven, world: World) -> None:
    await to_canary(driven)
    await driven.migration.flip("items", canary(20), who="ada", why="faster", force=True)
    world.served_both(of=1200)
    await driven.go_on(HOUR - 60)
    assert driven.position() == canary(20)
    await driven.go_on(120)
    assert driven.position() == canary(50)


async def test_a_changed_file_changes_the_plan(driven: Driven, world: World) -> None:
    await driven.go_on(10)
    world.compared()
    world.edit(f"plan: {{{PLAN}}}", "plan: {auto: true, steps: [shadow 1m, canary 5%]}")
    await driven.migration.reload()
    await driven.go_on(70)
    assert driven.position() == canary(5)
    world.edit("plan: {auto: true, steps: [shadow 1m, canary 5%]}", "serialize: user")
    await driven.migration.reload()
    world.served_both(of=5000)
    await driven.go_on(HOUR)
    assert driven.position() == canary(5)


async def test_a_service_that_is_away_keeps_the_step_back_and_a_person_is_told(driven: Driven, world: World) -> None:
    world.down.add("items")
    await driven.go_on(60)
    assert driven.position() == LEGACY
    assert driven.events == ["needs_person"]
    assert driven.plans.needs_person("items")
    assert "accepts no connection" in driven.driver.refused["items"]
    world.down.clear()
    await driven.go_on(10)
    assert driven.position() == SHADOW
    assert "items" not in driven.driver.refused
    assert not driven.plans.needs_person("items")


@pytest.mark.parametrize("position", [SHADOW, LEGACY])
async def test_without_a_plan_nothing_is_automatic(world: World, position: Position) -> None:
    driven = Driven(world, await world.started())
    if position == SHADOW:
        await driven.migration.flip("items", SHADOW, who="ada", why="t")
    world.compared()
    await driven.go_on(HOUR)
    assert driven.position() == position
    assert driven.here.plans() == {}
