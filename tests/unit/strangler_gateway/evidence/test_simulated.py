"""Rule 2 in simulated traffic: how soon it goes back, and that noise, bots and shared outages never make it."""

import math
from collections.abc import Callable
from itertools import count
from random import Random

import pytest

from strangler_gateway.evidence.cards import Advice
from strangler_gateway.evidence.group_cards import GroupJudgement
from strangler_gateway.exchange.decision import FAILED_OVER, SHARE_IN, SHARE_OUT, STATE_EXTRACTED
from strangler_gateway.table.routes import MigrationState
from tests.support.effort import examples
from tests.support.gateway.simulated_traffic import UNIT, Seconds, SimulatedGateway, Watched

BASE = 0.005
BOT = 4_000_000_000


@pytest.mark.parametrize(
    ("per_second", "more", "p95"),
    [
        (0.1, 1.0, 105),
        (1, 1.0, 12),
        (1, 0.2, 108),
        (1, 0.1, 271),
        (10, 1.0, 1),
        (10, 0.2, 11),
        (10, 0.1, 27),
        (10, 0.05, 82),
        (100, 1.0, 1),
        (100, 0.05, 20),
        (1000, 1.0, 1),
        (1000, 0.05, 16),
    ],
)
def test_a_break_is_found_as_soon_as_the_table_says(per_second: float, more: float, p95: int) -> None:
    """gates.md: requests a second to the new side, the part that fails beyond the usual, seconds in 95 of 100 runs."""
    seeds, late = examples(20), 0
    for seed in range(seeds):
        traffic = Seconds(seed, 10 * per_second, 0.1)
        traffic.quiet()
        found = traffic.until_rollback(min(more + BASE, 1.0), 5 * p95)
        assert found is not None
        late += found > p95
    assert late <= seeds // 5


@pytest.mark.parametrize("seed", range(examples(4)))
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_an_hour_of_a_thousand_requests_a_second_with_real_noise_moves_nothing(seed: int, share: float) -> None:
    """Users are heavy-tailed; rates and usual failures drift; bursts; and a minute in which both sides fail by half."""
    traffic, draws = Seconds(seed, 1000, share), Random(seed)
    usual, burst = BASE, 0
    outage = range(1200, 1260)
    for second in range(3600):
        usual = min(max(usual * math.exp(draws.gauss(0, 0.02)), 0.001), 0.02)
        burst = 20 if draws.random() < 1 / 300 else burst - 1
        rate = (1 + 0.5 * math.sin(second / 600)) * (5 if burst > 0 else 1)
        bad = 0.5 if second in outage else usual
        found = traffic.pass_one(bad, bad, rate)
        assert found.advice is not Advice.ROLLBACK
        assert found.advice is Advice.OK or second in range(1200, 1290)


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75, 0.9])
def test_a_total_break_is_found_at_every_share_with_a_control(share: float) -> None:
    for seed in range(examples(8)):
        traffic = Seconds(seed, 20, share)
        traffic.quiet()
        assert (traffic.until_rollback(1.0, 60) or 60) <= 10


def test_at_a_high_share_the_probe_makes_the_break_visible() -> None:
    """gates.md: share 99 %, 1/s, all fail: 605 s without a probe, 17 s with one."""

    def probed(seed: int) -> int:
        traffic = Seconds(seed, 1, 0.99)
        traffic.quiet()

        def play(at: int) -> GroupJudgement:
            found = traffic.pass_one(1.0, BASE)
            traffic.share = 0.5 if found.advice is Advice.PROBE else traffic.share
            return found

        return goes_back(play, 600)

    seconds = sorted(map(probed, range(examples(20))))
    assert seconds[len(seconds) // 2] <= 25


def goes_back(play: Callable[[int], GroupJudgement], most: int) -> int:
    """The first second after which rule 2 says so; `most` if it never does."""
    return next((at for at in range(most) if play(at).advice is Advice.ROLLBACK), most)


def second(watched: Watched, users: "count[int]", new: int, legacy: int) -> GroupJudgement:
    """Requests that work."""
    for _ in range(new):
        watched.gateway.request(next(users), SHARE_IN)
    for _ in range(legacy):
        watched.gateway.request(next(users), SHARE_OUT)
    return watched.tick()


@pytest.mark.parametrize(("new", "legacy"), [(1, 9), (5, 5), (9, 1), (10, 0)])
def test_a_bot_that_fails_for_ever_is_one_user(new: int, legacy: int) -> None:
    watched, users = Watched(SimulatedGateway()), count(1)
    for _ in range(900):
        for _ in range(3):
            watched.gateway.request(BOT, status=500)
        assert second(watched, users, new, legacy).advice is Advice.OK


def test_in_extracted_a_bot_is_its_address_and_a_break_asks_for_a_probe() -> None:
    gateway = SimulatedGateway(state=MigrationState.EXTRACTED, share=0)
    watched = Watched(gateway)
    for at in range(900):
        gateway.request(0, STATE_EXTRACTED, 500, peer="192.0.2.66")
        for caller in range(5):
            gateway.request(0, STATE_EXTRACTED, peer=f"192.0.{at % 100}.{caller}")
        assert watched.tick().advice is Advice.OK
    for caller in range(100):
        gateway.request(0, STATE_EXTRACTED, 503, peer=f"198.51.100.{caller}")
    found = watched.tick()
    assert found.advice is Advice.PROBE
    assert "legacy had no request in the same time" in found.says


def test_only_what_the_new_side_did_counts_as_its_failure() -> None:
    """A fail-over is its failure, a client that left is nobody's."""
    watched, users = Watched(SimulatedGateway()), count(1)
    second(watched, users, 1, 9)
    for _ in range(50):
        watched.gateway.request(next(users), SHARE_IN, 499)
    assert second(watched, users, 0, 9).found.seen == (0, 0, 0, 0)
    for _ in range(9):
        watched.gateway.request(next(users), FAILED_OVER, 200)
    found = second(watched, users, 0, 9)
    assert (found.advice, found.found.seen) == (Advice.ROLLBACK, (9, 9, 0, 9))


def test_a_service_that_flaps_is_found_in_one_of_its_bad_moments() -> None:
    """Three seconds of thirty it fails."""
    watched, users = Watched(SimulatedGateway()), count(1)

    def play(at: int) -> GroupJudgement:
        for _ in range(4):
            watched.gateway.request(next(users), SHARE_IN, 500 if at % 30 > 26 else 200)
        return second(watched, users, 0, 36)

    assert goes_back(play, 60) in (27, 28)


def test_a_role_that_always_fails_is_found_while_enough_of_its_users_come() -> None:
    """One user of twenty is an administrator, and each of them fails on the new side."""
    watched, draws = Watched(SimulatedGateway()), Random(7)

    def play(at: int) -> GroupJudgement:
        for user in (draws.randrange(20_000) for _ in range(20)):
            watched.gateway.request(user, SHARE_IN, 500 if user % 20 == 0 else 200)
        for _ in range(180):
            watched.gateway.request(20_000 + draws.randrange(200_000), SHARE_OUT)
        return watched.tick()

    assert goes_back(play, 600) < 90


def test_writes_that_fail_in_a_group_of_many_reads_are_found_by_their_route() -> None:
    """Writes are never shadowed: canary against the users outside the share is all that there is."""
    gateway = SimulatedGateway(("read", "buy"))
    watched, users = Watched(gateway), count(1)

    def play(at: int) -> GroupJudgement:
        for decision, status in ((SHARE_OUT, 201), (SHARE_OUT, 201), (SHARE_IN, 500)):
            gateway.request(next(users), decision, status, route=1)
        return second(watched, users, 100, 900)

    assert goes_back(play, 60) < 8
    assert watched.sentinel.judgements[UNIT].route == "buy"
