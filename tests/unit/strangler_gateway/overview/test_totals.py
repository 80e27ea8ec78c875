"""What gateways have counted altogether: sums, users told apart, and who did not answer."""

import json
from collections.abc import Iterable, Mapping
from typing import Any, cast

import pytest

from strangler_gateway.cluster.member import ClusterMember
from strangler_gateway.cluster.members import Members
from strangler_gateway.cluster.peers import PeerAway, Peers
from strangler_gateway.overview.totals import Totals
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.telemetry.user_sketch import Users, keyed


class Kept:
    """Differences as shadow keeps them, by route."""

    def __init__(self, *examples: tuple[float, str, int]) -> None:
        self._examples = [
            {
                "at": at,
                "method": "GET",
                "path": "/items/{id}",
                "differences": [{"where": where, "legacy": "number", "extracted": "string"}],
                "count": count,
                "values": False,
            }
            for at, where, count in examples
        ]

    def of(self, route_id: str) -> list[Mapping[str, object]]:
        return list(self._examples) if route_id == "item" else []


class Others:
    """The other gateways: an exception is what it raises, everything else goes through JSON."""

    def __init__(self, **answers: Any) -> None:
        self.answers = answers

    @property
    def others(self) -> list[ClusterMember]:
        return [ClusterMember(name) for name in self.answers]

    async def ask_all(self, members: Iterable[ClusterMember], call: str, question: Mapping[str, Any]) -> dict[str, Any]:
        return {one.name: await self._answer(self.answers[one.name], call, question) for one in members}

    async def _answer(self, said: Any, call: str, question: Mapping[str, Any]) -> Any:
        if isinstance(said, Totals):
            said = (
                await said.row(users=question["users"], durations=question["durations"])
                if call == "totals"
                else {"differences": await said.own_differences(question["route"])}
            )
        return said if isinstance(said, PeerAway) else json.loads(json.dumps(said))

    def silent(self, name: str, why: PeerAway) -> str:
        return f"no counters from {name} ({why})"


async def nothing_owed() -> None:
    """This process has counted everything."""


def gateway(since: float, requests: int, users: Iterable[str], kept: Kept, **others: Any) -> Totals:
    stats, hashed = Stats(lambda: since), keyed("one secret for all")
    route = stats.route("item")
    route.legacy, route.last_legacy_at, route.users_legacy = requests, since, Users()
    for user in users:
        route.users_legacy.add(hashed(user))
    stats.undeclared["GET /old"] = requests
    peers = Others(**others)
    return Totals(stats, kept, nothing_owed, cast(Members, peers), cast(Peers, peers))


async def test_counters_add_up_and_a_user_of_two_gateways_is_one() -> None:
    other = gateway(200.0, 7, ["ada", "bob"], Kept())
    total = await gateway(100.0, 5, ["ada", "eve"], Kept(), gw2=other).of(users=True)
    route = total.total.route("item")
    assert (route.legacy, total.total.undeclared, total.silent) == (12, {"GET /old": 12}, ())
    assert route.users_legacy is not None
    assert (route.users_legacy.number, route.last_legacy_at) == (3, 200.0)
    assert (total.total.since, total.total.started) == (200.0, 200.0)


async def test_the_sum_changes_nothing_and_nobody_is_asked_for_users_in_vain() -> None:
    other = gateway(200.0, 7, ["ada"], Kept())
    one = gateway(100.0, 5, ["ada"], Kept(), gw2=other)
    for _ in range(2):
        assert (await one.of()).total.route("item").legacy == 12
    assert "users_legacy" not in json.dumps(await other.row(users=False, durations=False))
    assert (await one.own()).total.route("item").legacy == 5


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (PeerAway("timed out"), "no counters from gw2 (timed out)"),
        ({}, "the counters of gw2 cannot be read: KeyError 'counted'"),
        (
            {"counted": {"routes": {"item": {"counters": {"legacy": 9}, "users_legacy": "eA=="}}}},
            "the counters of gw2 cannot be read: ValueError a sketch has another size",
        ),
        ({"counted": {"routes": [3]}, "since": 1, "started": 1}, "the counters of gw2 cannot be read"),
    ],
)
async def test_who_does_not_answer_or_answers_nonsense_is_named_and_the_rest_is_shown(said: Any, told: str) -> None:
    total = await gateway(100.0, 5, [], Kept(), gw2=said, gw3=gateway(100.0, 1, [], Kept())).of()
    [silent] = total.silent
    assert told in silent
    assert total.total.route("item").legacy == 6


async def test_one_kind_of_difference_that_several_have_seen_is_one_and_the_latest_is_shown() -> None:
    other = gateway(1.0, 0, [], Kept((30.0, "$.rows[2].points", 4), (10.0, "$.name", 1)))
    one = gateway(1.0, 0, [], Kept((20.0, "$.rows[0].points", 3)), gw2=other, gw3=PeerAway("gone"), gw4={"no": 1})
    found, silent = await one.differences("item")
    assert [(each["at"], each["count"]) for each in found] == [(30.0, 7), (10.0, 1)]
    assert [sentence.split(" (")[0] for sentence in silent] == [
        "no counters from gw3",
        "the differences of gw4 cannot be read: KeyError 'differences'",
    ]
