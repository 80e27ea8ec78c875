"""Rule 2 over several gateways: all traffic is one, a user is one, an answer that is lost costs nothing for good."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from strangler_gateway.cluster.member import ClusterMember
from strangler_gateway.cluster.peers import PeerAway
from strangler_gateway.evidence.cards import Advice
from strangler_gateway.exchange.decision import SHARE_OUT
from strangler_gateway.migration.guards.sentinel import OwnFailures, Sentinel
from strangler_gateway.migration.guards.shared_failures import MOST_ASKED, SharedFailures
from tests.support.gateway.simulated_traffic import UNIT, SimulatedGateway

BOT = 4_000_000_000


class OtherGateways:
    """Answer as over the wire, unless they are away."""

    def __init__(self, number: int) -> None:
        self.gateways = {f"g{at}": SimulatedGateway() for at in range(number)}
        self.away: set[str] = set()
        self.asked: list[str] = []

    @property
    def others(self) -> list[ClusterMember]:
        return [ClusterMember(name, "run") for name in self.gateways]

    async def ask(self, member: ClusterMember, call: str, question: Mapping[str, Any]) -> Mapping[str, Any]:
        self.asked.append(member.name)
        if member.name in self.away:
            raise PeerAway(member.name)
        told = OwnFailures(self.gateways[member.name].stats, lambda again: None).tell(question["forget"])
        return json.loads(json.dumps({"units": told}))  # type: ignore[no-any-return]


class Cluster:
    def __init__(self, number: int) -> None:
        self.me, self.others = SimulatedGateway(), OtherGateways(number)
        self.all = [self.me, *self.others.gateways.values()]
        own = OwnFailures(self.me.stats, lambda again: None)
        self.sentinel = Sentinel(SharedFailures("me", self.others, self.others, own.tell), self.me.watched)

    async def second(self, *, broken: bool = False, users: int = 0) -> Advice:
        """Each gateway has one request to the new side and nine to legacy, of other users than ever before."""
        for at, gateway in enumerate(self.all):
            gateway.request(100 * users + at, status=500 if broken else 200)
            for more in range(9):
                gateway.request(100 * users + 10_000_000 + 10 * at + more, SHARE_OUT)
        return (await self.sentinel.look(1.0))[UNIT].advice


@pytest.mark.parametrize("away", [set(), {"g1"}])
async def test_a_break_that_no_gateway_could_tell_alone_is_found_at_once(away: set[str]) -> None:
    cluster = Cluster(4)
    for second in range(30):
        assert await cluster.second(users=second) is Advice.OK
    cluster.others.away |= away
    found = [await cluster.second(broken=True, users=100 + second) for second in range(2)]
    assert Advice.ROLLBACK in found
    assert cluster.sentinel.judgements[UNIT].found.seen[3] >= 4 * 9


async def test_a_bot_that_fails_at_every_gateway_is_one_user() -> None:
    cluster = Cluster(9)
    for second in range(120):
        for gateway in cluster.all:
            gateway.request(BOT, status=500)
        assert await cluster.second(users=second) is Advice.OK
        assert cluster.sentinel.judgements[UNIT].found.seen[0] <= 1


async def test_failures_that_a_lost_answer_would_have_told_come_with_the_next_one() -> None:
    cluster = Cluster(1)
    await cluster.second()
    cluster.others.away.add("g0")
    for user in range(1, 9):
        cluster.all[1].request(user, status=500)
    assert await cluster.second(users=9) is Advice.OK
    cluster.others.away.clear()
    assert await cluster.second(users=10) is Advice.ROLLBACK


async def test_a_gateway_that_missed_that_the_score_is_zero_tells_nothing_old_as_new() -> None:
    cluster = Cluster(1)
    await cluster.second()
    for user in (1, 2, 3):
        cluster.all[1].request(user, status=500)
    await cluster.second(users=9)
    cluster.others.away.add("g0")
    for user in range(10, 1000):
        cluster.me.request(user)
        score = (await cluster.sentinel.look(1.0))[UNIT].found.score
    assert score == 0
    cluster.others.away.clear()
    cluster.me.request(4, status=500)
    assert (await cluster.sentinel.look(1.0))[UNIT].found.seen == (1, 1, 0, 0)


async def test_of_many_gateways_each_is_asked_in_its_turn() -> None:
    cluster = Cluster(40)
    for second in range(5):
        await cluster.second(users=second)
    assert len(cluster.others.asked) == 5 * MOST_ASKED
    assert {cluster.others.asked.count(name) for name in cluster.others.gateways} == {2}
