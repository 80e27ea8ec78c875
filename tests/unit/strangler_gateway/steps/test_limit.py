"""Rate limits: none unless written, and then the same whichever side answers."""

import pytest

from chassis.auth.claims import NOBODY, Identity
from strangler_gateway.exchange.clocks import Clocks
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.exchange.trust import network_of
from strangler_gateway.gateway import Gateway
from strangler_gateway.steps.limit import Limit, Limiter
from strangler_gateway.table.routes import MigrationState, RateLimit
from tests.support.gateway.exchanges import ALICE, Clock, changed, exchange, gateway_for, route, step

HERE = "192.0.2.7"


def limited(
    rate: str = "2/minute", by: str = "user", state: MigrationState = MigrationState.LEGACY
) -> tuple[Gateway, Clock]:
    clock = Clock()
    one = route(state, limit=RateLimit(rate, by))  # type: ignore[arg-type]  # one of two words
    gateway = gateway_for(one, clocks=Clocks(wall=clock))
    return gateway, clock


def ask(gateway: Gateway, identity: Identity | None = None, peer: str = HERE) -> Reply | None:
    x = exchange(gateway, peer=peer)
    x.identity = identity
    outcome = step(gateway, Limit, x)
    assert outcome is None or isinstance(outcome, Reply)
    return outcome


def test_nothing_is_limited_unless_it_is_written() -> None:
    gateway = gateway_for(route(MigrationState.LEGACY))
    assert [ask(gateway) for _ in range(1_000)] == [None] * 1_000


@pytest.mark.parametrize("state", MigrationState)
def test_the_request_over_the_rate_gets_429_and_when_to_come_back_until_the_window_ends(state: MigrationState) -> None:
    gateway, clock = limited(state=state)
    assert [ask(gateway, ALICE), ask(gateway, ALICE)] == [None, None]
    clock.now += 17.5
    reply = ask(gateway, ALICE)
    assert reply is not None
    assert (reply.status, reply.fields) == (429, ((b"Retry-After", b"43"),))
    clock.now += 42.5
    assert [ask(gateway, ALICE) is None for _ in range(3)] == [True, True, False]


BOB, OTHER = changed(subject="bob"), "198.51.100.1"


@pytest.mark.parametrize(
    ("by", "asked", "over"),
    [
        ("user", [(ALICE, HERE), (BOB, HERE), (ALICE, OTHER)], [False, False, True]),
        ("user", [(None, HERE), (None, OTHER), (None, HERE)], [False, False, True]),
        ("user", [(NOBODY, HERE), (NOBODY, OTHER), (NOBODY, HERE)], [False, False, True]),
        ("user", [(changed(subject=HERE), HERE), (None, HERE)], [False, False]),
        ("address", [(ALICE, HERE), (BOB, HERE)], [False, True]),
    ],
    ids=[
        "users also behind one address",
        "an unknown caller by address",
        "nobody by address",
        "a user named like an address",
        "by address the user does not matter",
    ],
)
def test_callers_are_counted_apart(by: str, asked: list[tuple[Identity | None, str]], over: list[bool]) -> None:
    gateway, _ = limited("1/minute", by)
    assert [ask(gateway, *each) is not None for each in asked] == over


def test_memory_is_bounded_and_the_oldest_window_is_forgotten_first() -> None:
    limiter, rule = Limiter(3, Clock()), RateLimit("1/minute", "address")
    for n in range(4):
        assert limiter.over(rule, ("r", "address", f"192.0.2.{n}")) is None
    assert limiter.over(rule, ("r", "address", "192.0.2.3")) is not None
    assert limiter.over(rule, ("r", "address", "192.0.2.0")) is None


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("", ""),
        ("not:an:address", "not:an:address"),
    ],
)
def test_an_ipv6_network_counts_as_one_caller(address: str, counted_as: str) -> None:
    assert network_of(address) == counted_as
