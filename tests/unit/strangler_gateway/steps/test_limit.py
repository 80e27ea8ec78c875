"""Rate limits: none unless written, and then the same whichever side answers."""

import asyncio

import pytest

from chassis.auth.claims import NOBODY, Identity
from strangler_gateway.exchange.clocks import Clocks
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.gateway import Gateway
from strangler_gateway.steps.limit import Limit
from strangler_gateway.table.routes import MigrationState, RateLimit
from tests.support.gateway.exchanges import ALICE, Clock, changed, exchange, gateway_for, route, step

HERE = "192.0.2.7"
BEARER = {"Authorization": "Bearer abc"}


def limited(
    rate: str = "2/minute", by: str = "user", state: MigrationState = MigrationState.LEGACY, burst: int | None = None
) -> tuple[Gateway, Clock]:
    clock = Clock()
    one = route(state, limit=RateLimit(rate, by, burst))  # type: ignore[arg-type]  # one of three words
    return gateway_for(one, clocks=Clocks(now=clock)), clock


def ask(gateway: Gateway, identity: Identity | None = None, peer: str = HERE) -> Reply | None:
    x = exchange(gateway, peer=peer)
    x.identity = identity
    return asked(gateway, x)


def asked(gateway: Gateway, x: Exchange) -> Reply | None:
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
    assert gateway.outside.stats.route("everything").limited == 2


def told(gateway: Gateway) -> tuple[int, list[bytes]]:
    x = exchange(gateway)
    reply = asked(gateway, x)
    return reply.status if reply else 200, [value for _, value in x.extra_fields]


def test_callers_are_told_what_is_left_in_each_window_also_when_they_are_refused() -> None:
    gateway, clock = limited("2/second, 3/minute", burst=2)
    policies = b'"everything-1s";q=2;w=1;strangler-burst=2, "everything-60s";q=3;w=60'
    assert told(gateway) == (200, [b'"everything-1s";r=1;t=1, "everything-60s";r=2;t=60', policies])
    clock.now += 0.5
    assert told(gateway) == (200, [b'"everything-1s";r=0;t=1, "everything-60s";r=1;t=60', policies])
    assert told(gateway) == (429, [b'"everything-1s";r=0;t=1, "everything-60s";r=1;t=60', policies])
    clock.now += 0.5
    assert told(gateway) == (200, [b'"everything-1s";r=1;t=1, "everything-60s";r=0;t=59', policies])
    assert told(gateway) == (429, [b'"everything-1s";r=1;t=1, "everything-60s";r=0;t=59', policies])


def test_a_preflight_is_nobodys_and_counts_for_nobody() -> None:
    gateway, _ = limited("1/minute", "address")
    preflight = {"Origin": "https://web.example", "Access-Control-Request-Method": "GET"}
    assert [asked(gateway, exchange(gateway, preflight, method="OPTIONS")) for _ in range(5)] == [None] * 5
    assert [asked(gateway, exchange(gateway, method="OPTIONS")) is None for _ in range(2)] == [True, False]


async def test_two_authorization_lines_do_not_make_another_caller() -> None:
    gateway, _ = limited("2/minute", "credential")
    for _ in range(2):
        assert asked(gateway, exchange(gateway, BEARER)) is None
    for lines in (
        {"Authorization": "Bearer abc\r\nAuthorization: x"},
        {"Authorization": "x\r\nAuthorization: Bearer abc"},
    ):
        outcome = step(gateway, Limit, exchange(gateway, lines))
        assert asyncio.iscoroutine(outcome)
        assert (await outcome).status == 429


BOB, OTHER = changed(subject="bob"), "198.51.100.1"


@pytest.mark.parametrize(
    ("by", "asked", "over"),
    [
        ("user", [(ALICE, HERE), (BOB, HERE), (ALICE, OTHER)], [False, False, True]),
        ("user", [(None, HERE), (None, OTHER), (None, HERE)], [False, False, True]),
        ("user", [(NOBODY, HERE), (NOBODY, OTHER), (NOBODY, HERE)], [False, False, True]),
        ("user", [(changed(subject=HERE), HERE), (None, HERE)], [False, False]),
        ("address", [(ALICE, HERE), (BOB, HERE)], [False, True]),
        ("credential", [(ALICE, HERE), (BOB, HERE), (None, OTHER)], [False, True, False]),
    ],
    ids=[
        "users also behind one address",
        "an unknown caller by address",
        "nobody by address",
        "a user named like an address",
        "by address the user does not matter",
        "no credential by address",
    ],
)
def test_callers_are_counted_apart(by: str, asked: list[tuple[Identity | None, str]], over: list[bool]) -> None:
    gateway, _ = limited("1/minute", by)
    assert [ask(gateway, *each) is not None for each in asked] == over
