"""What the gate knows of durations and sizes: without the first minutes, of the last half hour, of all processes."""

import json
from bisect import bisect_left

import pytest

from strangler_gateway.telemetry.histogram import BYTES, WHOLE_BYTES
from strangler_gateway.telemetry.migration_steps.timings import HISTOGRAMS, RouteTimings, StepTimings

SKIP_S, WINDOW_S = 300.0, 1800.0


def ticked(timings: StepTimings, seconds: float) -> None:
    for _ in range(round(seconds / 5)):
        timings.tick(5.0, SKIP_S, WINDOW_S)


def answers(timings: dict[str, RouteTimings]) -> int:
    return sum(sum(one.seconds_new) for one in timings.values())


def served(timings: StepTimings, number: int = 1) -> None:
    for _ in range(number):
        timings.of("r").seconds_new[3] += 1
        timings.of("r").bytes_new[5] += 1


def test_a_number_of_bytes_has_the_bin_that_the_edges_give_it() -> None:
    sizes = [size for edge in BYTES for size in range(int(edge) - 1, int(edge) + 3)]
    assert [bisect_left(WHOLE_BYTES, size) for size in sizes] == [bisect_left(BYTES, size) for size in sizes]


def test_the_first_minutes_of_a_step_do_not_count() -> None:
    timings = StepTimings()
    served(timings, 7)
    ticked(timings, 295)
    assert answers(timings.routes) == 7
    ticked(timings, 5)
    served(timings)
    assert (answers(timings.routes), sum(timings.routes["r"].bytes_new)) == (1, 1)
    ticked(timings, 600)
    assert answers(timings.routes) == 1


def test_what_was_counted_lately_is_at_most_five_minutes_more_than_half_an_hour() -> None:
    timings = StepTimings()
    ticked(timings, SKIP_S)
    for _ in range(24):
        served(timings)
        ticked(timings, 300)
    assert answers(timings.routes) == 24
    assert answers(dict(timings.recent())) == 6
    ticked(timings, 3600)
    assert answers(dict(timings.recent())) == 0


def test_a_restart_and_other_gateways_lose_nothing() -> None:
    one = StepTimings()
    ticked(one, SKIP_S)
    for _ in range(10):
        one.of("r").seconds_legacy[5] += 1
        one.pair("r", 1.3, 1.0)
        served(one)
        ticked(one, 300)
    again = StepTimings()
    again.add(json.loads(json.dumps(one.snapshot())))
    assert (again.snapshot(), again.age_s) == (one.snapshot(), one.age_s)
    total = StepTimings()
    for part in (one.part(), one.part()):
        total.add(json.loads(json.dumps(part)))
    assert (answers(total.routes), answers(dict(total.recent()))) == (20, 12)


def test_what_is_drained_is_told_once() -> None:
    worker, parent = StepTimings(), StepTimings()
    for number in (3, 4, 0):
        served(worker, number)
        parent.add({"age_s": 0.0, "routes": worker.drain()})
    assert answers(parent.routes) == 7


@pytest.mark.parametrize("bins", [[[9999, 1]], [[-1, 1]], [[0, -1]], [["0", 1]], [[0]], 3])
def test_a_damaged_histogram_is_refused(bins: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        StepTimings().add({"age_s": 0.0, "routes": {"r": {HISTOGRAMS[0]: bins}}})
