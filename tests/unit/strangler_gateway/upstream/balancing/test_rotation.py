"""Which instances are asked: who fails more than the others is left out for a while, and never all of them."""

import random
from collections import Counter
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chassis.discovery.port import Instance
from strangler_gateway.http.write_batch import WriteBatch
from strangler_gateway.table.routes import Service
from strangler_gateway.table.rules.balance import BalanceRules, EjectRules
from strangler_gateway.upstream.balancing.balancer import Balancer
from strangler_gateway.upstream.connections.call import NOBODY, Call
from strangler_gateway.upstream.connections.pool import Pool
from tests.support.gateway.exchanges import Clock

INSTANCES = [Instance(name, "127.0.0.1", 1) for name in "abcd"]


class World:
    """So many instances whose answers the test tells."""

    def __init__(self, count: int, rules: EjectRules | None = None) -> None:
        self.clock = Clock()
        service = Service("shop", "http", "127.0.0.1", 1, balance=BalanceRules(eject=rules or EjectRules()))
        draw = random.Random(3).random
        self.balancer = Balancer(service, self.clock, 65536, WriteBatch(), INSTANCES[:count], draw)

    def __getitem__(self, name: str) -> Pool:
        return next(pool for pool in self.balancer.pools if pool.instance.id == name)

    def goes_on(self, seconds: float) -> None:
        """Time passes as it does while the gateway sweeps."""
        for _ in range(int(seconds * 4)):
            self.clock.now += 0.25
            self.balancer.sweep()

    def answers(self, name: str, status: int, times: int = 1) -> None:
        for _ in range(times):
            self[name].answered(status)

    def refuses(self, name: str, times: int = 5) -> None:
        for _ in range(times):
            self.balancer.refused(self[name])

    def asked(self, times: int = 400) -> Counter[str]:
        chosen = [self.balancer.rotation.chosen() for _ in range(times)]
        return Counter(pool.instance.id for pool in chosen if pool is not None)


@pytest.mark.parametrize(
    "fail",
    [
        lambda world: world.answers("a", 503, 5),
        lambda world: world.refuses("a"),
        lambda world: [world.balancer.failed(world["a"]) for _ in range(5)],
        lambda world: [world.answers("a", status) for status in (200, 500) * 10],
    ],
    ids=["503 in a row", "no connection", "no answer", "half are 500"],
)
def test_who_fails_more_than_the_others_is_left_out(fail: Callable[[World], object]) -> None:
    world = World(3)
    world.answers("b", 200, 30)
    fail(world)
    assert set(world.asked()) == {"b", "c"}
    assert world["a"].health.ejections == 1


@pytest.mark.parametrize("status", [500, 404])
def test_an_answer_that_is_none_of_a_gateway_counts_by_its_rate_alone(status: int) -> None:
    world = World(2)
    world.answers("a", status, 19)
    assert set(world.asked()) == {"a", "b"}


def test_what_all_do_alike_leaves_nobody_out() -> None:
    world = World(3)
    for _ in range(50):
        for name in "abc":
            world.answers(name, 500)
    assert set(world.asked()) == {"a", "b", "c"}


def test_it_comes_back_after_a_while_which_doubles_when_it_fails_again() -> None:
    world = World(2, EjectRules(out_s=4))
    for out_s in (4, 8, 16):
        world.goes_on(10)  # longer than the first time out
        world.answers("a", 503, 5)
        world.goes_on(out_s - 0.5)
        assert set(world.asked()) == {"b"}
        world.goes_on(1)
        assert set(world.asked()) == {"a", "b"}
    world.answers("a", 200, 100)
    world.goes_on(40)
    world.answers("a", 503, 5)
    world.goes_on(4.5)
    assert set(world.asked()) == {"a", "b"}


def test_by_answers_at_most_half_are_left_out_without_a_connection_all_but_one() -> None:
    world = World(4)
    for name in "abc":
        world.answers(name, 503, 5)
    assert len(world.balancer.rotation.out) == 2
    world = World(4)
    for name in "abc":
        world.refuses(name)
    assert set(world.asked()) == {"d"}


def test_where_none_can_be_reached_all_are_asked_until_one_answers() -> None:
    world = World(3)
    for name in "abc":
        world.refuses(name)
    assert set(world.asked()) == {"a", "b", "c"}
    world.balancer.connected(world["b"])
    world.goes_on(0.25)
    assert set(world.asked()) == {"b"}


def test_who_fails_fast_does_not_attract_the_calls_of_the_busy_one() -> None:
    """More than half would be left out, so both stay; the one that answers well has nine calls under way."""
    world = World(2, EjectRules(failures=0, rate=0))
    busy = world["b"]
    busy.active.update([Call(busy, NOBODY, b"GET", b"/", b"", complete=True, upgrade=b"") for _ in range(9)])
    world.answers("a", 503, 9)
    asked = world.asked(1000)
    assert 350 < asked["a"] < 650
    world.answers("a", 503, 1)
    assert set(world.asked()) == {"b"}
    world.goes_on(11)
    assert set(world.asked()) == {"a"}


def test_a_new_instance_gets_its_part_little_by_little_where_there_are_others() -> None:
    world = World(2)
    assert 300 < world.asked(1000)["a"] < 700
    world.clock.now += 100
    world.balancer.set_instances(INSTANCES[:3])
    parts = []
    for _ in range(4):
        parts.append(world.asked(3000)["c"] / 3000)
        world.goes_on(3.5)
    assert parts[0] < 0.1
    assert parts == sorted(parts)
    assert 0.28 < parts[3] < 0.39
    world.balancer.set_instances(INSTANCES[3:])
    assert set(world.asked()) == {"d"}


def test_one_instance_alone_is_never_judged() -> None:
    world = World(1)
    world.refuses("a", 50)
    world.answers("a", 503, 50)
    assert set(world.asked()) == {"a"}
    assert not world["a"].watched
    world.balancer.set_instances(INSTANCES[:2])
    assert world["a"].watched


EVENTS = st.one_of(
    st.tuples(st.sampled_from([200, 404, 500, 503]), st.sampled_from("abcd")),
    st.tuples(st.sampled_from(["refused", "failed", "connected"]), st.sampled_from("abcd")),
    st.tuples(st.just("time"), st.sampled_from([0.25, 3.0, 12.0])),
    st.tuples(st.just("instances"), st.lists(st.sampled_from(INSTANCES), max_size=4)),
)


@given(st.lists(EVENTS, max_size=200))
def test_whatever_happens_somebody_is_asked_and_only_who_is_there(events: list[tuple[object, object]]) -> None:
    world = World(4)
    for what, who in events:
        pool = next((pool for pool in world.balancer.pools if pool.instance.id == who), None)
        if what == "time":
            world.goes_on(who)  # type: ignore[arg-type]
        elif what == "instances":
            world.balancer.set_instances(who)  # type: ignore[arg-type]
        elif isinstance(what, int) and pool is not None:
            pool.answered(what)
        elif pool is not None:
            getattr(world.balancer, str(what))(pool)
        asked = set(world.asked(8))
        assert asked <= {pool.instance.id for pool in world.balancer.pools}
        assert bool(asked) == bool(world.balancer.pools)
