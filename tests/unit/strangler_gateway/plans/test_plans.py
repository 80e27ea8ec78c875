"""What people ask of a plan: the next step, a pause, an approval by another operator; each wish may come twice."""

from typing import Any

import pytest

from strangler_gateway.migration.journal.journal_entry import JournalEvent
from strangler_gateway.plans.plans import Wish
from tests.support.gateway.migrating import EXTRACTED, LEGACY, SHADOW, World, canary
from tests.support.gateway.planned import PLAN, Driven, planned

ADA, BOB = Wish("ada (127.0.0.1)", "ada"), Wish("bob (127.0.0.1)", "bob")
BY_HAND = "steps: [shadow 1h, canary 10%, extracted], approve: [extracted]"


async def driven_by(world: World, plan: str) -> Driven:
    world.edit(*planned(plan))
    driven = Driven(world, await world.started())
    await driven.go_on(10)
    return driven


async def test_a_plan_without_auto_goes_on_when_somebody_advances_it(world: World) -> None:
    driven = await driven_by(world, BY_HAND)
    assert driven.position() == LEGACY
    assert driven.events == ["needs_person"]
    dry = await driven.plans.advance("items", Wish("ada", "ada", dry_run=True))
    assert (dry.done, driven.position()) == (True, LEGACY)
    made = await driven.plans.advance("items", Wish("ada", "ada", why="week 1", step="shadow"))
    assert (made.done, driven.position()) == (True, SHADOW)
    assert (world.last().who, world.last().automatic, world.last().why) == ("ada", False, "step 1 of 3: week 1")
    again = await driven.plans.advance("items", Wish("ada", "ada", step="shadow"))
    assert (again.done, again.code) == (True, "nothing")
    early = await driven.plans.advance("items", ADA)
    assert (early.done, driven.position()) == (False, SHADOW)
    assert "shadow for" in early.says
    other = await driven.plans.advance("items", Wish("ada", "ada", step="extracted"))
    assert (other.done, other.code) == (False, "other_step")


async def test_force_does_not_wait_but_a_hold_a_pause_and_an_approval_stay(world: World) -> None:
    driven = await driven_by(world, BY_HAND)
    force = Wish("ada", "ada", force=True)
    assert (await driven.plans.advance("items", force)).done
    assert (await driven.plans.advance("items", force)).done
    assert driven.position() == canary(10)
    assert "wait" in world.last().forced or "not_compared" in world.last().forced
    waits = await driven.plans.advance("items", force)
    assert (waits.done, waits.code, driven.position()) == (True, "waits", canary(10))
    await driven.plans.pause("items", BOB)
    paused = await driven.plans.advance("items", force)
    assert (paused.done, "paused by bob" in paused.says) == (False, True)
    await driven.migration.rollback(["items"], who="ada", why="errors")
    held = await driven.plans.advance("items", force)
    assert (held.done, "on hold" in held.says) == (False, True)


async def test_a_step_is_approved_by_another_operator_than_who_asked(world: World) -> None:
    driven = await driven_by(world, BY_HAND)
    for step in (SHADOW, canary(10)):
        await driven.migration.flip("items", step, who="ada", why="t", force=True)
    world.served_both(of=2400)
    await driven.go_on(60)
    asked = await driven.plans.advance("items", ADA)
    assert (asked.done, asked.code) == (True, "waits")
    await driven.go_on(60)
    assert driven.position() == canary(10)
    own = await driven.plans.approve("items", ADA)
    assert (own.done, own.code) == (False, "same_operator")
    report = await driven.plans.report("items")
    assert report is not None
    assert [reason.code for reason in report.decision.reasons] == ["approval"]
    assert (await driven.plans.approve("items", BOB)).done
    assert (await driven.plans.approve("items", BOB)).code == "nothing"
    await driven.go_on(60)
    assert driven.position() == EXTRACTED
    assert world.last().why.endswith("asked for by ada; approved by bob")
    events = [entry.event for entry in world.journal() if entry.unit == "items"]
    assert events.count(JournalEvent.PLAN) == 2
    assert (await driven.plans.advance("items", ADA)).code == "nothing"


async def test_an_approval_does_not_outlive_a_rollback(world: World) -> None:
    driven = await driven_by(world, "auto: true, steps: [canary 10%, extracted], approve: [canary 10%]")
    assert (await driven.plans.approve("items", BOB)).done
    await driven.migration.rollback(["items"], who="ada")
    await driven.migration.release("items", who="ada")
    report = await driven.plans.report("items")
    assert report is not None
    assert "approval" in [reason.code for reason in report.decision.reasons]


async def test_a_pause_holds_the_plan_over_moves_and_restarts_until_it_is_resumed(world: World) -> None:
    driven = await driven_by(world, PLAN)
    assert driven.position() == SHADOW
    assert (await driven.plans.pause("items", Wish("ada", "ada", "freeze"))).done
    assert (await driven.plans.pause("items", ADA)).code == "nothing"
    world.compared()
    await driven.migration.flip("items", canary(5), who="ada", why="by hand")
    world.served_both(of=2400)
    await driven.go_on(7200)
    assert driven.position() == canary(5)
    counted = world.stats.snapshot()
    await driven.migration.aclose()
    migration = world.controller()
    world.stats.restore(counted)
    await migration.start()
    again = Driven(world, migration)
    await again.go_on(7200)
    assert again.position() == canary(5)
    assert again.here.standing("items").paused == "ada (freeze)"
    assert (await again.plans.resume("items", BOB)).done
    assert (await again.plans.resume("items", BOB)).code == "nothing"
    await again.go_on(10)
    assert again.position() == canary(10)


async def test_a_plan_cannot_be_paused_while_the_journal_cannot_be_written(world: World) -> None:
    driven = await driven_by(world, PLAN)
    world.disk.away = True
    paused = await driven.plans.pause("items", ADA)
    assert (paused.done, driven.here.standing("items").paused) == (False, None)


@pytest.mark.parametrize("verb", ["advance", "approve", "pause", "resume"])
async def test_a_group_without_a_plan_says_so(world: World, verb: str) -> None:
    driven = Driven(world, await world.started())
    answer = await getattr(driven.plans, verb)("items", ADA)
    assert (answer.done, answer.code) == (False, "no_plan")


async def test_a_flip_by_hand_goes_without_an_approval_and_its_preflight_says_so(world: World) -> None:
    driven = await driven_by(world, BY_HAND)
    wish: Any = {"who": "ada", "why": "now", "force": True}
    for to in (SHADOW, canary(10)):
        made = await driven.migration.flip("items", to, **wish)
        assert (made.done, [one for one in made.warnings if "approval" in one]) == (True, [])
    before = driven.position()
    dry = await driven.migration.flip("items", EXTRACTED, dry_run=True, **wish)
    assert (dry.done, driven.position()) == (True, before)
    assert "the plan of items wants an approval for extracted; a flip by hand goes without it" in dry.warnings[-1]
    await driven.plans.approve("items", BOB)
    assert not any("approval" in one for one in (await driven.migration.flip("items", EXTRACTED, **wish)).warnings)
