"""How long a group has been where it is: monotone sums that outlive a restart, whatever the wall clock does."""

import json

import pytest

from strangler_gateway.cluster.record import GroupRecord, Hold, RollbackName, rollback
from strangler_gateway.migration.journal.journal_entry import Standing
from strangler_gateway.plans.clocks import DISTRUST_S, ClockWatch
from strangler_gateway.plans.progress import ProgressBook
from strangler_gateway.table.position import LEGACY, Position
from strangler_gateway.table.routes import MigrationState

SHADOW = Position(MigrationState.SHADOW)


def held(who: str, since: float) -> Standing:
    return Standing(LEGACY, since, record=rollback(GroupRecord(), RollbackName("7f3a", 1), Hold(since, who)))


def test_time_counts_since_the_move_that_was_seen() -> None:
    book = ProgressBook()
    for _ in range(3):
        book.tick(1.0, {"items": Standing(SHADOW, 100.0)}, 100.0)
    assert book.of("items").spent_s == 2.0
    book.tick(1.0, {"items": Standing(SHADOW, 105.0)}, 105.0)
    assert book.of("items").spent_s == 0.0


@pytest.mark.parametrize(("seconds", "counted"), [(3600.0, 5.0), (-3600.0, 0.0)])
def test_a_tick_that_comes_late_counts_little(seconds: float, counted: float) -> None:
    book = ProgressBook()
    book.tick(1.0, {"items": Standing(SHADOW, 100.0)}, 100.0)
    book.tick(seconds, {"items": Standing(SHADOW, 100.0)}, 100.0)
    assert book.of("items").spent_s == counted


def test_it_goes_on_after_a_restart_though_the_journal_rounds() -> None:
    book, after = ProgressBook(), ProgressBook()
    for _ in range(8):
        book.tick(1.0, {"items": Standing(SHADOW, 100.00049)}, 100.0)
    after.restore(json.loads(json.dumps(book.snapshot())))
    after.tick(1.0, {"items": Standing(SHADOW, 100.0)}, 100.0)
    assert after.of("items").spent_s == 8.0


def test_automatic_rollbacks_are_remembered_for_a_day_and_once_each() -> None:
    book = ProgressBook()
    book.tick(1.0, {"items": held("ada (127.0.0.1)", 90.0)}, 90.0)
    assert book.of("items").rollback_ages == ()
    for _ in range(2):
        book.tick(1.0, {"items": held("automatic, for plan", 100.0)}, 100.0)
    book.tick(1.0, {"items": Standing(LEGACY, 100.0)}, 101.0)
    assert book.of("items").rollback_ages == (2.0,)
    book.tick(1.0, {"items": held("automatic, for plan", 300.0)}, 300.0)
    assert book.of("items").rollback_ages == (0.0, 3.0)
    for _ in range(86_400 // 5):
        book.tick(5.0, {"items": held("automatic, for plan", 300.0)}, 300.0)
    assert book.of("items").rollback_ages == ()


@pytest.mark.parametrize(("since", "late"), [(1_000.0, True), (3_590.0, False)])
def test_a_step_that_was_here_before_anybody_counted_is_late_until_the_next_move(since: float, late: bool) -> None:
    book, after = ProgressBook(), ProgressBook()
    book.tick(1.0, {"items": Standing(SHADOW, since)}, 3_600.0)
    after.restore(json.loads(json.dumps(book.snapshot())))
    after.tick(1.0, {"items": Standing(SHADOW, since)}, 3_601.0)
    assert (after.of("items").late, after.of("items").spent_s) == (late, 1.0)
    after.tick(1.0, {"items": Standing(LEGACY, 3_602.0)}, 9_999.0)
    assert not after.of("items").late


@pytest.mark.parametrize(
    "saved",
    [
        [1],
        {"items": {}},
        {"items": {"position": {"state": "shadow"}, "since": 1, "spent_s": -1, "rollback_ages": [], "noted": 0}},
        {"items": {"position": {"state": "shadow"}, "since": 1, "spent_s": 1, "rollback_ages": ["x"], "noted": 0}},
    ],
)
def test_a_file_that_is_no_progress_is_refused(saved: object) -> None:
    with pytest.raises((ValueError, TypeError, LookupError)):
        ProgressBook().restore(saved)


def test_a_wall_clock_that_jumps_is_not_believed_for_a_while() -> None:
    watch = ClockWatch()
    assert watch.is_steady(1000.0, 1.0)
    assert watch.is_steady(1001.5, 2.0)
    assert not watch.is_steady(9000.0, 3.0)
    assert not watch.is_steady(9000.0 + DISTRUST_S - 1, 2.0 + DISTRUST_S)
    assert watch.is_steady(9000.0 + DISTRUST_S, 3.0 + DISTRUST_S)
