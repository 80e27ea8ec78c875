"""What the past says about how long the rest takes."""

import pytest

from strangler_gateway.migration.journal.journal_entry import JournalEntry, JournalEvent
from strangler_gateway.overview.pace import DAY_S, extracted_at, pace
from strangler_gateway.table.position import LEGACY, Position
from strangler_gateway.table.routes import MigrationState

EXTRACTED, RETIRED = Position(MigrationState.EXTRACTED), Position(MigrationState.RETIRED)
NOW = 1e9


@pytest.mark.parametrize(
    ("days_ago", "left", "weeks", "says"),
    [
        ([], 3, None, "0 groups extracted in the last 8 weeks, 3 left. No forecast"),
        ([40, 30, 20, 10], 3, None, "4 groups extracted"),
        ([5, 4, 3, 2, 1], 3, None, "No forecast"),
        ([50, 40, 30, 20, 10], 0, None, "Every group is extracted."),
        ([50, 40, 30, 20, 10], 5, [5, 15], "At this pace, 5 to 15 weeks more"),
        ([300, 50, 40, 30, 20, 10], 5, [5, 16], "5 groups extracted in the last 8 weeks"),
    ],
)
def test_a_forecast_is_a_range_and_given_only_after_enough_groups_and_time(
    days_ago: list[float], left: int, weeks: list[int] | None, says: str
) -> None:
    found = pace([NOW - days * DAY_S for days in days_ago], left, NOW)
    assert found["weeks"] == weeks
    assert says in found["says"]


def test_a_group_counts_from_its_last_move_to_extracted_and_not_if_the_file_put_it_there() -> None:
    moves = [("a", 1, EXTRACTED), ("a", 2, LEGACY), ("a", 3, EXTRACTED), ("a", 4, RETIRED), ("b", 5, LEGACY)]
    entries = [JournalEntry(time, JournalEvent.FLIP, unit, "x", "", None, after) for unit, time, after in moves]
    adopted = JournalEntry(6, JournalEvent.ADOPTED, "c", "file", "", None, EXTRACTED)
    assert extracted_at([*entries, adopted]) == {"a": 3}
