"""The group of points moves back and forth on a live monolith, and nobody's points notice. Seconds: UNDER_FIRE_S."""

import os
from collections.abc import Iterator

import pytest

from tests.support.system.under_fire import FLIPS, OWN, REFUNDS, SERIALISED, Report, measured, under_fire

pytestmark = pytest.mark.connected
SECONDS = float(os.environ.get("UNDER_FIRE_S") or 20)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Report]:
    """One run for all; what it measured is shown where a test fails."""
    with under_fire(tmp_path_factory.mktemp("fire"), seed=1) as fire:
        yield measured(fire, SECONDS)


def test_no_point_is_lost_or_made_and_each_item_charged_once_through_flips_and_rollbacks(report: Report) -> None:
    print(*(f"{name}: {counted}" for name, counted in report.phases.items()), sep="\n")
    assert report.phases[FLIPS].is_sound
    assert min(report.phases[FLIPS].by_monolith, report.phases[FLIPS].by_services) > 0, "one side sold nothing"


def test_no_user_saw_an_error_that_the_monolith_would_not_give(report: Report) -> None:
    assert report.unexplained == []


def test_what_one_user_does_at_once_is_serialised_on_both_sides_in_canary(report: Report) -> None:
    assert report.phases[SERIALISED].is_sound


def test_the_monoliths_own_races_and_what_a_queued_refund_can_lose_are_measured_apart(report: Report) -> None:
    assert report.phases[OWN].by_services == 0
    assert report.phases[REFUNDS].twice == 0
