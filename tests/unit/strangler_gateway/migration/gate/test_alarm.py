"""What makes a guard go back: the points of gates.md's rule 2, and WORSE from four failures on."""

import pytest

from strangler_gateway.migration.gate.alarm import BreakCard, expected_failures, sentence, worse
from strangler_gateway.migration.gate.evidence import GateEvidence, RouteSeen, gathered
from strangler_gateway.migration.gate.pool import Counts
from strangler_gateway.table.position import Position
from strangler_gateway.table.routes import GateRules, MigrationState
from strangler_gateway.telemetry.migration_steps.counts import StepCounts

NOTHING = Counts()


@pytest.mark.parametrize(
    ("tick", "expected", "points", "broken"),
    [
        (Counts(3, 3, 0, 27), 0.01, 12.745, False),
        (Counts(4, 4, 0, 36), 0.01, 16.994, True),
        (Counts(5, 5, 0, 6), 0.01, 21.242, True),
        (Counts(8, 8, 0, 0), 0.01, 33.988, True),
        (Counts(8, 8, 3, 6), 0.01, 33.988, False),
        (Counts(10, 10, 88, 90), 0.6, 1.542, False),
        (Counts(0, 8, 0, 0), 0.01, 0.0, False),
        (Counts(500, 500, 0, 0), 0.01, 40.0, True),
    ],
)
def test_the_points_of_one_second(tick: Counts, expected: float, points: float, broken: bool) -> None:
    card = BreakCard()
    assert card.add(tick, expected, 1.0) is broken
    assert card.card.score == pytest.approx(points, abs=0.001)


def test_successes_take_points_away_and_a_break_after_them_is_found_at_once() -> None:
    card = BreakCard()
    for _ in range(600):
        assert not card.add(Counts(2, 12, 0, 0), 0.01, 1.0)  # a bot fails twice a second among ten that work
    assert not card.add(Counts(3, 3, 0, 0), 0.01, 1.0)
    assert card.add(Counts(3, 3, 0, 0), 0.01, 1.0)


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (NOTHING, NOTHING, 0.02),
        (Counts(0, 100, 12, 500), NOTHING, 0.0309),
        (Counts(0, 0, 0, 10_000), NOTHING, 0.01),
        (Counts(0, 0, 0, 10_000), Counts(0, 0, 100, 200), 0.6),
    ],
)
def test_twice_of_what_fails_anyway_is_expected(before: Counts, now: Counts, expected: float) -> None:
    assert expected_failures(before, now) == pytest.approx(expected, abs=0.0001)


def known(state: MigrationState, counted: Counts, raw: Counts = NOTHING, different: int = 0) -> GateEvidence:
    position = Position(state, 1000 if state is MigrationState.CANARY else 0)
    step = StepCounts(0.0, position.share)
    counts = step.of("read")
    counts.failed_new, counts.new, counts.failed_legacy, counts.legacy = counted
    seen = RouteSeen("read", raw, readable=True, compared=600, different=different)
    return gathered(position, step, GateRules(), [seen], 10.0, 0.0)


CANARY, EXTRACTED, SHADOW = MigrationState.CANARY, MigrationState.EXTRACTED, MigrationState.SHADOW
USUAL = Counts(0, 0, 5, 1000)


@pytest.mark.parametrize(
    ("seen", "before", "alarm"),
    [
        (known(CANARY, Counts(8, 8, 0, 31)), NOTHING, True),
        (known(CANARY, Counts(1, 5, 0, 50)), NOTHING, False),
        (known(CANARY, Counts(3, 3, 0, 50)), NOTHING, False),
        (known(CANARY, Counts(4, 200, 20, 1000)), NOTHING, False),
        (known(CANARY, Counts(8, 8, 0, 0), Counts(8, 8, 0, 0)), USUAL, True),
        (known(EXTRACTED, NOTHING, Counts(8, 60, 0, 0)), USUAL, True),
        (known(EXTRACTED, NOTHING, Counts(3, 60, 0, 0)), USUAL, False),
        (known(EXTRACTED, NOTHING, Counts(8, 8, 0, 0)), NOTHING, False),
        (known(EXTRACTED, NOTHING, Counts(8, 60, 0, 0)), Counts(0, 0, 200, 1000), False),
        (known(SHADOW, NOTHING, different=60), NOTHING, True),
        (known(SHADOW, NOTHING, different=1), NOTHING, False),
    ],
)
def test_worse_counts_from_four_failures_on_and_without_legacy_what_failed_before(
    seen: GateEvidence, before: Counts, alarm: bool
) -> None:
    assert worse(seen, before) is alarm


def test_the_sentence_has_the_numbers_and_the_routes() -> None:
    assert sentence(known(EXTRACTED, NOTHING, Counts(8, 60, 1, 20))) == (
        "8 of 60 requests to the new side failed (read 8), 1 of 20 to legacy"
    )
    assert sentence(known(SHADOW, NOTHING, different=60)) == "60 of 600 answers differ in shadow"
