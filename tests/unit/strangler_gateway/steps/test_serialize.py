"""One write per user and group at a time, in order; bounded, and nobody waits for somebody who has left."""

import asyncio
from dataclasses import replace

import pytest

from chassis.settings import SettingsInvalid
from strangler_gateway.exchange.decision import Decision
from strangler_gateway.exchange.exchange import Exchange
from strangler_gateway.exchange.replies import Reply
from strangler_gateway.gateway import Gateway
from strangler_gateway.steps import serialize as module
from strangler_gateway.steps.identify import Identify
from strangler_gateway.steps.serialize import Serialize
from strangler_gateway.table.routes import MigrationState, Side
from strangler_gateway.turns.local import MAX_WAITING, Turns
from tests.support.gateway.exchanges import ALICE, Provider, exchange, gateway_for, route, step

KEY = ("points", "alice")
NOBODY_LISTENS = "redis://127.0.0.1:1/0"


async def test_turns_are_given_in_the_order_of_arrival() -> None:
    turns, order = Turns(), []

    async def write(name: int) -> None:
        assert turns.take(KEY) or await turns.wait(KEY, 5)
        order.append(name)
        await asyncio.sleep(0)
        turns.release(KEY)

    await asyncio.gather(*(write(n) for n in range(5)))
    assert order == [0, 1, 2, 3, 4]
    assert turns.take(KEY)


async def test_another_user_or_group_never_waits() -> None:
    turns = Turns()
    assert turns.take(KEY)
    assert turns.take(("points", "bob"))
    assert turns.take(("other", "alice"))


async def test_waiting_ends_in_time_and_is_bounded() -> None:
    turns = Turns()
    turns.take(KEY)
    waits = [asyncio.create_task(turns.wait(KEY, 0.05)) for _ in range(MAX_WAITING + 3)]
    assert await asyncio.gather(*waits) == [False] * (MAX_WAITING + 3)
    turns.release(KEY)
    assert turns.take(KEY)


async def test_who_leaves_while_waiting_is_passed_over() -> None:
    turns = Turns()
    turns.take(KEY)
    first, second = asyncio.create_task(turns.wait(KEY, 5)), asyncio.create_task(turns.wait(KEY, 5))
    await asyncio.sleep(0)
    turns.release(KEY)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert await second
    turns.release(KEY)
    assert turns.take(KEY)


def write(gateway: Gateway, side: Side = Side.LEGACY, method: str = "POST") -> Exchange:
    x = exchange(gateway, method=method)
    x.identity, x.decision = ALICE, Decision(side, "r")
    return x


def serialized(state: MigrationState, provider: object = None, **more: str) -> Gateway:
    one = route(state)
    return gateway_for(replace(one, movable=replace(one.movable, serialize="user")), provider, None, **more)


@pytest.mark.parametrize("flip", [False, True])
async def test_the_second_write_goes_on_when_the_first_has_ended_also_over_a_flip(flip: bool) -> None:
    gateway = serialized(MigrationState.CANARY)
    first, second = write(gateway), write(gateway, Side.EXTRACTED)
    assert step(gateway, Serialize, first) is None
    if flip:
        gateway.adopt(gateway.current.table)
    waiting = asyncio.ensure_future(step(gateway, Serialize, second))  # type: ignore[arg-type]
    await asyncio.sleep(0)
    assert not waiting.done()
    for release in first.on_done:
        release()
    assert await waiting is None
    assert len(second.on_done) == 1


@pytest.mark.parametrize(("state", "method"), [(MigrationState.LEGACY, "POST"), (MigrationState.CANARY, "GET")])
def test_nothing_is_serialized_in_legacy_nor_a_safe_request(state: MigrationState, method: str) -> None:
    gateway = serialized(state)
    for _ in range(2):
        x = write(gateway, method=method)
        assert step(gateway, Serialize, x) is None
        assert x.on_done == ()


@pytest.mark.parametrize(("side", "status"), [(Side.LEGACY, None), (Side.EXTRACTED, 503)])
async def test_past_the_bound_the_monolith_gets_it_and_a_service_does_not(
    side: Side, status: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "WAIT_S", 0.01)
    gateway = serialized(MigrationState.CANARY)
    assert step(gateway, Serialize, write(gateway)) is None
    outcome = step(gateway, Serialize, write(gateway, side))
    answer = await outcome  # type: ignore[misc]
    assert (answer.status if isinstance(answer, Reply) else None) == status
    assert gateway.outside.stats.route("everything").unserialized == 1


@pytest.mark.parametrize(
    ("state", "status", "counted"),
    [
        (MigrationState.LEGACY, None, (1, 0)),
        (MigrationState.CANARY, 503, (0, 1)),
        (MigrationState.EXTRACTED, 503, (0, 1)),
    ],
)
async def test_while_redis_is_away_gateways_that_act_as_one_refuse_writes_that_may_go_to_either_side(
    state: MigrationState, status: int | None, counted: tuple[int, int]
) -> None:
    gateway = serialized(state, store="consul", redis_url=NOBODY_LISTENS)
    answer = await step(gateway, Serialize, write(gateway))  # type: ignore[misc]
    counts = gateway.outside.stats.route("everything")
    assert (answer.status if isinstance(answer, Reply) else None) == status
    assert (counts.unserialized, counts.serialize_unavailable) == counted
    assert gateway.turns is not None
    assert "refused" in str(gateway.turns.problem) or "failed" in str(gateway.turns.problem)
    await gateway.aclose()


@pytest.mark.parametrize(("store", "method", "asked"), [("consul", "POST", 1), ("consul", "GET", 0), ("", "POST", 0)])
async def test_whose_write_it_is_matters_in_legacy_where_several_gateways_act_as_one(
    store: str, method: str, asked: int
) -> None:
    provider = Provider()
    gateway = serialized(MigrationState.LEGACY, provider, store=store, redis_url=NOBODY_LISTENS)
    x = exchange(gateway, method=method)
    step(gateway, Identify, x)
    assert (provider.asked, x.identity) == (asked, ALICE if asked else None)
    await gateway.aclose()


def test_several_gateways_without_redis_do_not_start_and_take_no_such_table() -> None:
    with pytest.raises(SettingsInvalid, match="several gateways; set STRANGLER_REDIS_URL"):
        serialized(MigrationState.LEGACY, store="consul")
    gateway = gateway_for(route(MigrationState.LEGACY), store="consul")
    before = gateway.current.table
    with pytest.raises(SettingsInvalid, match="writes of items"):
        gateway.adopt(serialized(MigrationState.LEGACY).current.table)
    assert gateway.current.table is before
