"""A group with a plan goes back by itself when its new side fails, becomes slow or differs."""

from collections.abc import Callable
from itertools import pairwise

import pytest

from strangler_gateway.evidence.snapshot import RuleEvidence, RuleVerdict, Snapshot
from strangler_gateway.migration.journal.journal_entry import JournalEvent
from strangler_gateway.plans.plans import Wish
from strangler_gateway.table.position import Position
from tests.support.gateway.migrating import EXTRACTED, LEGACY, World, canary
from tests.support.gateway.planned import Driven, planned

Traffic = Callable[[World], None]
PLAN = "steps: [shadow, canary 10%, canary 100%, extracted]"


def traffic(new: int, failed: int, legacy: int, failed_legacy: int = 0) -> Traffic:
    """What a second brings; each failure is another user's."""

    def second(world: World) -> None:
        counts = world.stats.steps["items"].of("item-read")
        counts.new, counts.failed_new = counts.new + new, counts.failed_new + failed
        counts.legacy, counts.failed_legacy = counts.legacy + legacy, counts.failed_legacy + failed_legacy
        for side, number in ((counts.first_new, failed), (counts.first_legacy, failed_legacy)):
            for _ in range(number):
                world.users += 1
                side.fail(world.users)

    return second


GOOD, BROKEN, ALL_FAIL = traffic(10, 0, 90), traffic(10, 10, 90), traffic(100, 100, 0)


async def at(world: World, position: Position, plan: str = PLAN, **more: str) -> Driven:
    world.edit(*planned(plan, **more))
    driven = Driven(world, await world.started())
    await driven.migration.rollback(["items"], who="ada")
    await driven.migration.release("items", who="ada")
    for step in (Position(EXTRACTED.state.SHADOW), canary(10), canary(100), EXTRACTED):
        if step.rank <= position.rank:
            assert (await driven.migration.flip("items", step, who="ada", why="t", force=True)).done
    assert driven.position() == position
    await seconds(driven, 5, GOOD)
    return driven


async def seconds(driven: Driven, number: int, brings: Traffic, until: str = "") -> int:
    """How many seconds of this traffic pass until a notice of this kind comes."""
    for second in range(number):
        brings(driven.world)
        await driven.go_on(1)
        if until and until in driven.events:
            return second + 1
        if until == "probe ends" and driven.events.count("probe") == 2:
            return second + 1
    return number


@pytest.mark.parametrize("position", [canary(10), EXTRACTED])
async def test_a_broken_service_is_rolled_back_within_seconds_and_held(world: World, position: Position) -> None:
    driven = await at(world, position)
    lasted = await seconds(driven, 60, BROKEN, until="rolled_back")
    assert lasted < 5
    assert driven.position() == LEGACY
    entry = [one for one in world.journal() if one.event is JournalEvent.ROLLBACK][-1]
    assert (entry.who, entry.automatic) == ("automatic, for plan", True)
    assert entry.evidence is not None
    assert entry.evidence["advice"] == "rollback"
    assert driven.migration.standings["items"].hold is not None
    assert "requests to the new side failed" in driven.notices[-1].says


@pytest.mark.parametrize(
    "brings", [GOOD, traffic(10, 1, 90, 9), traffic(10, 5, 90, 50)], ids=["quiet", "as on legacy", "an outage of both"]
)
async def test_what_legacy_fails_as_often_at_is_no_reason(world: World, brings: Traffic) -> None:
    driven = await at(world, canary(10))
    await seconds(driven, 120, brings)
    assert driven.position() == canary(10)
    assert "rolled_back" not in driven.events


async def test_without_a_plan_nobody_goes_back(world: World) -> None:
    driven = await at(world, canary(10), "steps: [shadow]")
    world.edit("plan: {steps: [shadow]}", "serialize: user")
    await driven.migration.reload()
    await seconds(driven, 60, BROKEN)
    assert driven.position() == canary(10)


@pytest.mark.parametrize(
    ("written", "event"),
    [("", "held_back"), ("on_breach: hold, ", "held_back"), ("on_breach: rollback, ", "rolled_back")],
)
async def test_with_data_of_its_own_it_goes_back_only_where_that_is_written(
    world: World, written: str, event: str
) -> None:
    driven = await at(world, canary(10), written + PLAN, more="retire_after: 1d, gate: {min: 10}, data: own")
    await seconds(driven, 60, BROKEN, until=event)
    assert event in driven.events
    assert driven.position() == (LEGACY if event == "rolled_back" else canary(10))
    paused = driven.here.standing("items").paused
    assert (paused is not None) == (event == "held_back")
    assert driven.events.count(event) == 1


async def test_after_so_many_rollbacks_it_asks_for_a_person_instead(world: World) -> None:
    driven = await at(world, canary(10), f"{PLAN}, max_rollbacks: 1, cool_down: 1m")
    await seconds(driven, 60, BROKEN, until="rolled_back")
    await driven.migration.release("items", who="ada")
    for step in (Position(EXTRACTED.state.SHADOW), canary(10)):
        await driven.migration.flip("items", step, who="ada", why="fixed", force=True)
    await driven.go_on(120)
    driven.notices.clear()
    await seconds(driven, 60, BROKEN)
    assert driven.position() == canary(10)
    asked = [notice.says for notice in driven.notices if "not rolled back by itself" in notice.says]
    assert len(asked) == 1
    assert "rolled_back" not in driven.events


async def test_what_it_did_before_a_rollback_by_hand_counts_no_more(world: World) -> None:
    driven = await at(world, canary(10))
    await seconds(driven, 1, traffic(3, 3, 27))
    await driven.migration.rollback(["items"], who="ada")
    await driven.go_on(1)
    await driven.migration.release("items", who="ada")
    for step in (Position(EXTRACTED.state.SHADOW), canary(10)):
        await driven.migration.flip("items", step, who="ada", why="fixed", force=True)
    await seconds(driven, 3, traffic(0, 0, 9))
    await seconds(driven, 3, traffic(1, 1, 9))
    assert driven.position() == canary(10)


async def test_a_paused_plan_still_goes_back(world: World) -> None:
    driven = await at(world, canary(10))
    await driven.plans.pause("items", Wish("ada", "ada"))
    await seconds(driven, 60, BROKEN, until="rolled_back")
    assert driven.position() == LEGACY


@pytest.mark.parametrize("position", [canary(100), EXTRACTED])
async def test_where_all_are_on_the_new_side_half_go_back_for_a_moment_to_tell(
    world: World, position: Position
) -> None:
    driven = await at(world, position)
    await seconds(driven, 30, ALL_FAIL, until="probe")
    assert "probe" in driven.events
    assert (driven.position(), world.served[-1].movables["items"].kept_back) == (position, 5000)
    await seconds(driven, 30, traffic(50, 50, 50), until="rolled_back")
    assert driven.position() == LEGACY
    assert world.served[-1].movables["items"].kept_back == 0


async def test_a_probe_that_finds_nothing_ends_where_it_was_and_not_above(world: World) -> None:
    driven = await at(world, EXTRACTED, f"{PLAN}, auto: true")
    await seconds(driven, 30, traffic(10, 10, 0), until="probe")
    await seconds(driven, 60, traffic(50, 0, 50))
    assert (driven.position(), world.served[-1].movables["items"].kept_back) == (EXTRACTED, 0)
    probes = [entry for entry in world.journal() if entry.event is JournalEvent.PLAN]
    assert [entry.automatic for entry in probes] == [True, True]
    assert driven.here.standing("items").known == ()
    await seconds(driven, 60, ALL_FAIL)
    assert driven.events.count("probe") == 2


async def probing(world: World, remember: str = "30d") -> Driven:
    """A route that fails on both sides, in extracted, and a probe that has shown it."""
    gate = f"gate: {{min: 10, breach: {{remember: {remember}}}}}"
    driven = await at(world, EXTRACTED, f"{PLAN}, auto: true", more=f"retire_after: 1d, {gate}")
    await seconds(driven, 30, traffic(2, 2, 0), until="probe")
    lasted = await seconds(driven, 60, traffic(1, 1, 1, 1), until="probe ends")
    assert 7 <= lasted <= 9
    assert (driven.position(), world.served[-1].movables["items"].kept_back) == (EXTRACTED, 0)
    return driven


async def test_what_legacy_fails_at_as_often_ends_the_probe_at_once_and_is_remembered(world: World) -> None:
    driven = await probing(world)
    assert driven.notices[-1].says == (
        "the share is back where it was: legacy fails as often at item-read (7 of 7 requests), so this is no break, "
        "and it is remembered"
    )
    assert [*world.journal()][-1].why == driven.notices[-1].says
    [(known, _)] = driven.here.standing("items").known
    assert known[:3] == ("item-read", 7, 7)
    await seconds(driven, 900, traffic(2, 2, 0))
    assert driven.events.count("probe") == 2
    seen = (await driven.migration.evidence("items")).rule("breach")
    assert "what legacy was seen to fail as well is no break: item-read (7 of 7 requests)" in seen.says


async def test_it_is_remembered_over_a_restart_and_a_move_for_as_long_as_the_file_says(world: World) -> None:
    await probing(world, remember="1h")
    await world.aclose()
    again = Driven(world, await world.started())
    await seconds(again, 120, traffic(2, 2, 0))
    assert again.notices == [], [n.says for n in again.notices]
    await again.migration.flip("items", canary(100), who="ada", why="t", force=True)
    assert len(again.here.standing("items").known) == 1
    again.clocks.go_on(3600)
    await seconds(again, 30, traffic(2, 2, 0), until="probe")
    assert again.events == ["probe"]


async def test_it_is_forgotten_when_the_service_fails_no_more_and_a_later_break_goes_back(world: World) -> None:
    driven = await probing(world)
    await seconds(driven, 60, traffic(10, 0, 0))
    assert driven.notices[-1].says == (
        "what legacy was seen to fail is forgotten, because it fails no more as often: item-read (7 of 7 requests)"
    )
    assert driven.here.standing("items").known == ()
    driven.notices.clear()
    assert await seconds(driven, 30, ALL_FAIL, until="probe") <= 2
    await seconds(driven, 30, traffic(50, 50, 50), until="rolled_back")
    assert driven.position() == LEGACY


async def test_probes_that_show_nothing_become_rarer(world: World) -> None:
    driven = await at(world, EXTRACTED, f"{PLAN}, cool_down: 1m")
    await seconds(driven, 1200, traffic(1, 1, 0))
    began = [entry.time for entry in world.journal() if entry.event is JournalEvent.PLAN][::2]
    apart = [round(after - before) for before, after in pairwise(began)]
    assert apart == [300 + 120, 300 + 240]


async def test_a_holdback_stays_on_legacy_in_extracted(world: World) -> None:
    driven = await at(world, EXTRACTED, f"{PLAN}, holdback: 1%")
    assert world.served[-1].movables["items"].kept_back == 100
    await seconds(driven, 60, traffic(90, 10, 10), until="rolled_back")
    assert driven.position() == LEGACY
    assert world.served[-1].movables["items"].kept_back == 0


class Breached:
    """Evidence of an answer that differs or comes late."""

    def __init__(self, position: Position, verdict: RuleVerdict) -> None:
        self.position, self.verdict = position, verdict

    async def __call__(self, name: str) -> Snapshot:
        slow = RuleEvidence("latency", self.verdict, "the new side is slow")
        return Snapshot(name, self.position, 0.0, 0.0, (slow, RuleEvidence("failures", RuleVerdict.PASS, "well")))


@pytest.mark.parametrize("verdict", [RuleVerdict.SLOW, RuleVerdict.DIFFERENT])
@pytest.mark.parametrize(
    ("on_breach", "event", "after"), [("rollback", "rolled_back", LEGACY), ("hold", "held_back", canary(10))]
)
async def test_a_slow_or_different_service_goes_back_or_holds_the_plan_as_it_says(
    world: World, monkeypatch: pytest.MonkeyPatch, verdict: RuleVerdict, on_breach: str, event: str, after: Position
) -> None:
    driven = await at(world, canary(10), f"{PLAN}, on_breach: {on_breach}")
    monkeypatch.setattr(driven.migration, "evidence", Breached(canary(10), verdict))
    await driven.go_on(30)
    assert driven.position() == after
    assert driven.events.count(event) == 1
    assert driven.notices[-1].says == "the new side is slow"
