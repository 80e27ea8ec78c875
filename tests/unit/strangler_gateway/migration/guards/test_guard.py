"""A guard rolls back by itself, whoever asked for it has gone meanwhile; and it gives way to everybody else."""

import asyncio
from collections.abc import Callable

import pytest

from strangler_gateway.migration.guards.guard import Guard, Guards, GuardState
from strangler_gateway.migration.journal.journal_entry import JournalEvent
from strangler_gateway.migration.migration import Migration
from strangler_gateway.table.position import Position
from strangler_gateway.telemetry.stats import RouteStats
from tests.support.gateway.migrating import EXTRACTED, LEGACY, SHADOW, World, canary


@pytest.fixture
async def guards(migration: Migration) -> Guards:
    """They look all the time."""
    migration.guards = Guards(migration, look_every_s=0.001)
    return migration.guards


async def lead(migration: Migration, to: Position) -> None:
    for step in (SHADOW, canary(10), EXTRACTED):
        assert (await migration.flip("items", step, who="alice", why="t", force=True)).done
        if step == to:
            return


async def ended(guard: Guard) -> GuardState:
    async with asyncio.timeout(60):
        while guard.state is GuardState.WATCHING:
            await asyncio.sleep(0.001)
    return guard.state


def break_all(counts: RouteStats) -> None:
    counts.extracted, counts.errors_extracted = counts.extracted + 8, counts.errors_extracted + 8


def break_both(counts: RouteStats) -> None:
    break_all(counts)
    counts.legacy, counts.errors_legacy = counts.legacy + 30, counts.errors_legacy + 25


def fail_over(counts: RouteStats) -> None:
    counts.legacy, counts.failovers = counts.legacy + 8, counts.failovers + 8


def differ(counts: RouteStats) -> None:
    counts.shadow_compared, counts.shadow_different = 50, 40


def work(counts: RouteStats) -> None:
    counts.extracted, counts.errors_extracted, counts.legacy = counts.extracted + 500, counts.errors_extracted + 2, 500


@pytest.mark.parametrize(
    ("at", "happens"),
    [
        (canary(10), break_all),
        (canary(100), break_all),
        (EXTRACTED, break_all),
        (canary(10), fail_over),
        (SHADOW, differ),
    ],
)
async def test_an_alarm_rolls_back_at_once_and_is_journalled_as_automatic_with_its_numbers(
    world: World, migration: Migration, guards: Guards, at: Position, happens: Callable[[RouteStats], None]
) -> None:
    await lead(migration, EXTRACTED if at == EXTRACTED else SHADOW if at == SHADOW else canary(10))
    if at == canary(100):
        await migration.flip("items", at, who="alice", why="t", force=True)
    guard = await guards.start("items", 60.0, "alice")
    happens(world.stats.route("item-read"))
    assert await ended(guard) is GuardState.ROLLED_BACK
    assert (migration.standings["items"].position, migration.standings["items"].hold is not None) == (LEGACY, True)
    entry = world.last()
    assert (entry.event, entry.before, entry.automatic) == (JournalEvent.ROLLBACK, at, True)
    assert entry.who == "automatic, for alice"
    assert entry.why == guard.alarm
    assert any(word in entry.why for word in ("8 of 8 requests to the new side failed (item-read 8)", "40 of 50"))
    assert entry.evidence is not None
    assert [one["rule"] for one in entry.evidence["rules"]][:3] == ["failures", "users", "parity"]


@pytest.mark.parametrize("happens", [work, break_both])
async def test_without_an_alarm_it_is_over_when_the_time_is_up(
    world: World, migration: Migration, guards: Guards, happens: Callable[[RouteStats], None]
) -> None:
    await lead(migration, canary(10))
    guard = await guards.start("items", 0.05, "alice")
    happens(world.stats.route("item-read"))
    assert await ended(guard) is GuardState.OVER
    assert migration.standings["items"].position == canary(10)


async def test_what_failed_before_the_move_raises_no_alarm(world: World, migration: Migration, guards: Guards) -> None:
    await lead(migration, canary(10))
    break_all(world.stats.route("item-read"))
    await migration.flip("items", EXTRACTED, who="alice", why="t", force=True)
    assert await ended(await guards.start("items", 0.05, "alice")) is GuardState.OVER


async def test_it_gives_way_to_whoever_moves_the_group_and_a_new_guard_replaces_it(
    world: World, migration: Migration, guards: Guards
) -> None:
    await lead(migration, canary(10))
    first = await guards.start("items", 60.0, "alice")
    second = await guards.start("items", 60.0, "bob")
    assert guards.of("items") is second
    await migration.rollback(["items"], who="carol")
    assert await ended(second) is GuardState.MOVED
    assert world.last().who == "carol"
    await guards.aclose()
    assert first.state is GuardState.WATCHING  # nobody asks for it any more


async def test_a_guard_that_fails_says_so(
    migration: Migration, guards: Guards, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await lead(migration, canary(10))
    guard = await guards.start("items", 60.0, "alice")
    monkeypatch.setattr(Guard, "look", lambda *_: 1 / 0)
    assert await ended(guard) is GuardState.FAILED
    assert "nobody watches it any more" in caplog.text
