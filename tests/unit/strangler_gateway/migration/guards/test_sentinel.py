"""The judge of rule 2: what it watches, what it keeps over a change of share and over a restart."""

import json
from itertools import count
from pathlib import Path

import pytest

from strangler_gateway.evidence.cards import Advice
from strangler_gateway.evidence.snapshot import RuleVerdict
from strangler_gateway.exchange.decision import SHARE_IN, SHARE_OUT, STATE_EXTRACTED
from strangler_gateway.migration.guards.sentinel import sentinel_file
from strangler_gateway.table.position import LEGACY
from strangler_gateway.table.routes import MigrationState
from strangler_gateway.table.rules.plan import PlanRules
from tests.support.gateway.migrating import SHADOW, World, canary
from tests.support.gateway.simulated_traffic import UNIT, SimulatedGateway, Watched


def failing(watched: Watched, users: range) -> Advice:
    """These users fail on the new side in one second; legacy serves nine others for each."""
    for user in users:
        watched.gateway.request(user, SHARE_IN, 500)
        for other in range(9):
            watched.gateway.request(user * 9 + other + 1_000_000, SHARE_OUT)
    return watched.tick().advice


def test_the_cards_go_on_where_the_share_changes() -> None:
    watched = Watched(SimulatedGateway())
    assert failing(watched, range(4)) is Advice.OK
    watched.gateway.share(5000)
    assert failing(watched, range(10, 11)) is Advice.ROLLBACK
    assert watched.sentinel.judgements[UNIT].found.seen == (5, 5, 0, 45)


def test_a_group_that_comes_back_begins_anew() -> None:
    watched = Watched(SimulatedGateway())
    assert failing(watched, range(4)) is Advice.OK
    watched.gateway.left = True
    assert watched.look() == {}
    watched.gateway.left = False
    watched.tick()
    assert failing(watched, range(10, 11)) is Advice.OK


def test_a_user_who_has_failed_counts_again_once_the_score_is_zero() -> None:
    watched, users = Watched(SimulatedGateway()), count(1)
    failing(watched, range(10**6, 10**6 + 1))
    while watched.sentinel.judgements[UNIT].found.score:
        watched.gateway.request(next(users), SHARE_IN)
        watched.gateway.request(10**6, SHARE_IN, 500)
        watched.tick()
    watched.tick()
    watched.gateway.request(10**6, SHARE_IN, 500)
    assert watched.tick().found.seen == (1, 1, 0, 0)


def test_in_extracted_a_user_who_has_failed_is_left_out_and_nobody_is_known_without_a_plan() -> None:
    for plan, requests in ((PlanRules(()), 2), (None, 12)):
        gateway = SimulatedGateway(state=MigrationState.EXTRACTED, share=0, plan=plan)
        gateway.request(0, STATE_EXTRACTED, 500, peer="192.0.2.9")
        for _ in range(10):
            gateway.request(0, STATE_EXTRACTED, peer="192.0.2.9")
        gateway.request(0, STATE_EXTRACTED, peer="192.0.2.10")
        [requests_told, _, users] = gateway.stats.steps[UNIT].of("read").first_failures()[0]
        assert (requests_told, len(users), len(gateway.watched())) == (requests, plan is not None, plan is not None)


def test_counters_that_begin_anew_are_no_failure() -> None:
    watched = Watched(SimulatedGateway())
    for user in range(10_000):
        watched.gateway.request(user)
    watched.tick()
    watched.gateway.stats.begin_anew()
    for second in range(20):
        watched.gateway.request(20_000 + second, SHARE_IN, 500 if second % 10 == 0 else 200)
        watched.gateway.request(30_000 + second, SHARE_OUT)
        assert watched.tick().advice is Advice.OK


def test_a_restart_goes_on_and_forgets_what_is_older_than_ten_minutes(tmp_path: Path) -> None:
    now = 1_000_000.0
    watched = Watched(SimulatedGateway())
    for user in range(2_000):
        watched.gateway.request(user, SHARE_OUT, 500 if user % 10 == 0 else 200)
    failing(watched, range(4))
    before = watched.sentinel.judgements[UNIT].found
    file = sentinel_file(tmp_path, watched.sentinel, lambda: now)
    file.write(file.snapshot())
    for later, expected in ((5.0, pytest.approx(before.expected, abs=0.01)), (700.0, 0.02), (-100.0, before.expected)):
        again = Watched(SimulatedGateway())
        assert sentinel_file(tmp_path, again.sentinel, lambda later=later: now + later).restore() is None  # type: ignore[misc]
        found = again.tick().found
        assert found.score == pytest.approx(before.score, abs=1e-4)
        assert found.expected == expected


@pytest.mark.parametrize("saved", ["[]", "{}", '{"at": 1, "cards": []}', '{"at": 1, "cards": {"items": {"": 3}}}'])
def test_a_file_that_cannot_be_used_is_told_and_left(tmp_path: Path, saved: str) -> None:
    (tmp_path / "sentinel.json").write_text(saved)
    watched = Watched(SimulatedGateway())
    problem = sentinel_file(tmp_path, watched.sentinel, lambda: 0.0).restore()
    assert problem is not None
    assert "judged anew" in problem
    assert failing(watched, range(5)) is Advice.ROLLBACK


async def test_a_gateway_judges_what_is_in_canary_by_its_own_counters(tmp_path: Path) -> None:
    world = World(tmp_path)
    world.edit("gate: {min: 10}", "gate: {min: 10}, plan: {steps: [canary 10%, extracted]}")
    controller = await world.started()
    assert await controller.sentinel.look(1.0) == {}
    for position in (SHADOW, canary(10)):
        assert (await controller.flip("items", position, who="ada", why="w", force=True)).done
    assert (await controller.evidence("items")).rule("breach").verdict is RuleVerdict.OFF
    await controller.sentinel.look(1.0)
    assert (await controller.evidence("items")).rule("breach").verdict is RuleVerdict.PASS
    counts = world.stats.steps["items"].of("item-read")
    counts.new, counts.legacy = 8, 80
    for user in range(8):
        counts.first_new.fail(user)
    found = (await controller.sentinel.look(1.0))["items"]
    assert (found.advice, found.to_json()["extracted"]) == (Advice.ROLLBACK, {"failed": 8, "of": 8})
    assert json.loads(json.dumps(found.to_json()))["routes"] == {"item-read": {"failed": 8, "of": 8}}
    rule = (await controller.evidence("items")).rule("breach")
    assert (rule.verdict, rule.says) == (RuleVerdict.WORSE, found.says)
    await controller.rollback(["items"], who="ada")
    assert (controller.standings["items"].position, await controller.sentinel.look(1.0)) == (LEGACY, {})
    await world.aclose()
