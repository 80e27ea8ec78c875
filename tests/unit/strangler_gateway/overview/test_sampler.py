"""Samples over several gateways: what each has counted since the last one, and what a silent one leaves out."""

from collections.abc import Iterable, Mapping
from typing import Any, cast

import pytest

from strangler_gateway.cluster.member import ClusterMember
from strangler_gateway.cluster.members import Members
from strangler_gateway.cluster.peers import PeerAway, Peers
from strangler_gateway.overview.history import History
from strangler_gateway.overview.overview import Overview
from strangler_gateway.overview.ring import ALL
from strangler_gateway.overview.sampler import Sampler
from strangler_gateway.overview.totals import Totals
from strangler_gateway.telemetry.stats import Stats
from strangler_gateway.telemetry.user_sketch import Users, keyed
from tests.support.gateway.migrating import World

HASHED = keyed("one secret for all")


class Other:
    """Another gateway."""

    def __init__(self) -> None:
        self.stats, self.away, self.asked = Stats(), False, list[Mapping[str, Any]]()

    @property
    def others(self) -> list[ClusterMember]:
        return [ClusterMember("gw2")]

    async def ask_all(self, members: Iterable[ClusterMember], call: str, question: Mapping[str, Any]) -> dict[str, Any]:
        self.asked.append(question)
        if self.away:
            return {"gw2": PeerAway("timed out")}
        return {"gw2": await Totals(self.stats, cast(Any, None), nothing).row(**question)}

    def silent(self, name: str, why: PeerAway) -> str:
        return f"no counters from {name} ({why})"


async def nothing() -> None:
    """Everything is counted."""


class Site:
    """Two gateways, of which one is asked; time passes with each sample."""

    def __init__(self, world: World, other: Other, migration: Any) -> None:
        self.own, self.other, self.now = world.stats, other, 1000.0
        totals = Totals(world.stats, cast(Any, None), nothing, cast(Members, other), cast(Peers, other))
        self.sampler = Sampler(migration, totals, History(), lambda: self.now, lambda: self.now)
        alone: dict[str, Any] = {"store": None, "gateways": [], "agreed": True, "problem": None}
        self.overview = Overview(migration, self.sampler, lambda: alone)

    async def later(self, own: int = 0, other: int = 0) -> None:
        """10 seconds in which so many requests come to the new side of both."""
        for stats, count in ((self.own, own), (self.other.stats, other)):
            one = stats.route("item-read")
            one.extracted += count
            one.durations_extracted[20] += count
            one.users_extracted = one.users_extracted or Users()
            for number in range(count):
                one.users_extracted.add(HASHED(f"user-{number}"))
        self.now += 10.0
        await self.sampler.take()

    def rates(self) -> tuple[float | None, float | None]:
        seen = self.overview.known()
        return seen["totals"]["per_second"], next(one["per_second"] for one in seen["groups"] if one["name"] == "items")


@pytest.fixture
async def site(world: World) -> Site:
    return Site(world, Other(), await world.started())


async def test_rates_users_and_durations_are_those_of_all_gateways_together(site: Site) -> None:
    await site.later(own=7, other=1000)
    assert site.rates() == (None, None)  # what was counted before the first look has no time
    await site.later(own=20, other=30)
    assert site.rates() == (5.0, 5.0)
    [(_, _, sample)] = site.sampler.history.fine.samples(ALL, 0)
    assert (sample.new, round(sample.users, -1)) == (50, 1000)  # the same users came to both
    assert sample.p50_new == pytest.approx(sample.p95_new, rel=0.1)
    assert site.overview.known()["states"][0]["requests"] == 1057
    assert [one["users"] for one in site.other.asked] == [True, False]  # sketches are large


async def test_a_silent_gateway_is_named_and_what_it_counted_meanwhile_is_no_peak(site: Site) -> None:
    await site.later()
    site.other.away = True
    await site.later(own=10, other=5000)
    assert site.rates() == (1.0, 1.0)
    assert site.overview.known()["problems"] == ["Its part is missing here: no counters from gw2 (timed out)"]
    site.other.away = False
    await site.later(own=10, other=10)
    assert site.rates() == (1.0, 1.0)
    await site.later(own=10, other=10)
    assert site.rates() == (2.0, 2.0)
    assert site.overview.known()["problems"] == []


async def test_a_gateway_that_counts_from_zero_again_is_no_negative_rate(site: Site) -> None:
    await site.later(other=100)
    site.other.stats = Stats()
    await site.later(own=10, other=50)
    assert site.rates() == (1.0, 1.0)


async def test_who_asks_twice_sees_what_came_in_between(site: Site) -> None:
    await site.overview.asked()
    site.own.route("item-read").legacy += 30
    site.now += 1.0
    assert (await site.overview.asked())["totals"]["per_second"] == 30.0
