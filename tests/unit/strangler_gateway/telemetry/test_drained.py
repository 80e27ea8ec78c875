"""What processes have counted adds up to what one would have counted, each number once."""

import json
from typing import Any

from strangler_gateway.telemetry.drained import add, drain
from strangler_gateway.telemetry.migration_steps.counts import StepCounts
from strangler_gateway.telemetry.publish_stats import Published
from strangler_gateway.telemetry.stats import COUNTERS, Stats
from strangler_gateway.telemetry.user_sketch import Users


def used(number: int) -> Stats:
    """Everything that is counted, so that what `drain` forgets shows."""
    stats = Stats(lambda: 100.0)
    route = stats.route("r")
    for at, name in enumerate(COUNTERS):
        setattr(route, name, number + at)
    route.last_legacy_at = float(number)
    for side in ("legacy", "extracted"):
        setattr(route, f"statuses_{side}", {200: number, 500: 1})
        getattr(route, f"durations_{side}")[3] = number + 1
        setattr(route, f"seconds_{side}", 0.5 * number)
        users = Users()
        users.add(hash(f"user {number}"))
        setattr(route, f"users_{side}", users)
    stats.undeclared["GET /a"] = number
    published = stats.published["p"] = Published()
    published.confirmed = number
    published.failed("busy")
    published.ended("ok")
    published.confirm.add(0.002)
    published.reply.add(0.2)
    stats.called("r", "c", "ok", number)
    stats.exchanged("failed")
    stats.refused = number
    step = stats.steps["u"] = StepCounts(50.0, 1000)
    step.of("r").new, step.of("r").failed_new = number, 1
    step.users_of_new().seen[number] = step.users_of_new().failed[number] = 1
    step.example = {"route": "r", "at": f"{number}"}
    step.timings.of("r").seconds_new[number] += 1
    route.exercised_legacy.saw(b"GET", 200, (f"role {number}",), number)
    return stats


def seen(stats: Stats) -> dict[str, Any]:
    route, step, published = stats.route("r"), stats.steps["u"], stats.published["p"]
    return {
        "route": [
            getattr(route, name) for name in (*COUNTERS, "last_legacy_at", "seconds_legacy", "seconds_extracted")
        ],
        "durations": [route.durations_legacy, route.durations_extracted],
        "statuses": [route.statuses_legacy, route.statuses_extracted],
        "users": [route.users_legacy and route.users_legacy.number, route.users_extracted and 1],
        "others": [stats.undeclared, stats.calls, stats.exchanges, stats.refused],
        "published": [published.confirmed, published.failures, published.outcomes, published.confirm.counts],
        "replies": [published.reply.counts, published.reply.seconds],
        "step": [step.of("r").row(), step.users(), step.example],
        "exercised": route.exercised_legacy.snapshot(),
        "timings": sum(step.timings.of("r").seconds_new),
    }


def test_two_processes_add_up_and_nothing_is_told_twice() -> None:
    total = Stats(lambda: 100.0)
    total.steps["u"] = StepCounts(50.0, 1000)
    one, two = used(3), used(5)
    for stats in (one, two, one):
        add(total, json.loads(json.dumps(drain(stats))))
    assert drain(one) == {}
    got = seen(total)
    assert got["route"][: len(COUNTERS)] == [3 + 5 + 2 * at for at in range(len(COUNTERS))]
    assert got["route"][len(COUNTERS) :] == [5.0, 4.0, 4.0]
    assert [each[3] for each in got["durations"]] == [10, 10]
    assert got["statuses"] == [{200: 8, 500: 2}] * 2
    assert got["users"][0] == 2
    assert got["others"] == [{"GET /a": 8}, {("r", "c", "ok"): 8}, {"exchanged": 0, "refused": 0, "failed": 2}, 8]
    assert got["published"][0] == 8
    assert (got["published"][1]["busy"], got["published"][2]["ok"], sum(got["published"][3])) == (2, 2, 2)
    assert (sum(got["replies"][0]), got["replies"][1]) == (2, 0.4)
    assert got["timings"] == 2
    assert got["exercised"] == [[["GET", 2, 5]], [[["role 3"], 3], [["role 5"], 5]]]
    assert got["step"] == [(2, 8, 0, 0), (2, 2, 0, 0), {"route": "r", "at": "5"}]


def test_one_process_tells_everything_that_it_counts() -> None:
    total, wanted = Stats(lambda: 100.0), seen(used(3))
    total.steps["u"] = StepCounts(50.0, 1000)
    add(total, json.loads(json.dumps(drain(used(3)))))
    assert seen(total) == wanted


def test_counts_of_a_step_that_is_over_are_left_out() -> None:
    total = Stats(lambda: 100.0)
    total.steps["u"] = StepCounts(51.0, 1000)
    add(total, drain(used(3)))
    assert total.steps["u"].routes == {}


def failing(user: int, *others: int) -> Stats:
    """A worker at which these users have failed; then the first of them came once more, and had an answer."""
    stats = Stats(lambda: 100.0)
    counts = stats.steps.setdefault("u", StepCounts(50.0, 1000)).of("r")
    for one in (user, *others):
        counts.new += 1
        counts.first_new.fail(one)
    counts.first_new.repeat(user, bad=False)
    return stats


def test_a_user_who_fails_at_two_workers_has_failed_once() -> None:
    total, one, other = failing(1), failing(2, 3), failing(1, 3)
    for stats in (one, other, one):
        add(total, json.loads(json.dumps(drain(stats))))
    requests, beyond, users = total.steps["u"].of("r").first_failures()[0]
    assert (requests, beyond, sorted(users)) == (3, 0, [1, 2, 3])


def test_users_count_again_once_they_were_told_and_the_score_is_zero() -> None:
    total, worker = failing(1), failing(2)
    add(total, drain(worker))
    counts = worker.steps["u"].of("r").first_new
    counts.fail(3)
    assert sorted(total.steps["u"].of("r").first_failures()[0][2]) == [1, 2]
    assert total.forget("u", ["r", "gone"]) == worker.forget("u", ["r"]) == ["r"]
    for user in (2, 2, 3):
        counts.repeat(user, bad=True)
    add(total, json.loads(json.dumps(drain(worker))))
    assert sorted(total.steps["u"].of("r").first_failures()[0][2]) == [2, 3]
