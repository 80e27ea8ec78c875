"""Turns of several gateways in a real Redis: in order, renewed while held, over when their gateway is."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from strangler_gateway.redis.address import parse_redis_url
from strangler_gateway.redis.connection import CONNECT_S
from strangler_gateway.redis.link import encoded, open_link
from strangler_gateway.turns import shared
from strangler_gateway.turns.local import TurnKey
from strangler_gateway.turns.shared import FRESH_S, RENEW_S, NoTurn, SharedTurn, SharedTurns
from tests.support.connected import REDIS_URL, fresh_name
from tests.support.messaging import until

pytestmark = pytest.mark.connected
TTL_S = 6 * RENEW_S
WAIT_S = FRESH_S + 60
Make = Callable[[], Awaitable["Gateway"]]


class Gateway:
    """One gateway's turns; `lost`: those that ended before they were released."""

    def __init__(self) -> None:
        self.turns = SharedTurns(parse_redis_url(REDIS_URL), TTL_S)
        self.lost = 0

    def count(self) -> None:
        self.lost += 1

    async def take(self, key: TurnKey, wait_s: float = WAIT_S) -> SharedTurn:
        turn = await self.turns.take(key, wait_s, self.count)
        assert isinstance(turn, SharedTurn)
        return turn

    async def is_busy(self, key: TurnKey, wait_s: float) -> bool:
        return await self.turns.take(key, wait_s, self.count) is NoTurn.BUSY


@pytest.fixture
async def make(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Make]:
    """Places in the line are kept for an hour, so only who leaves it gives up a place."""
    monkeypatch.setattr(shared, "PLACE_S", 3600.0)
    made: list[Gateway] = []

    async def one() -> Gateway:
        made.append(Gateway())
        return made[-1]

    yield one
    for gateway in made:
        await gateway.turns.aclose()


def fresh_key() -> TurnKey:
    return "points", fresh_name()


async def say(*words: bytes) -> object:
    link = await open_link(parse_redis_url(REDIS_URL))
    try:
        return await link.ask(encoded(*words), CONNECT_S)
    finally:
        link.give_up("done")


async def test_turns_go_round_and_nobody_waits_for_another_user(make: Make) -> None:
    one, other, key, order = await make(), await make(), fresh_key(), []

    async def write(gateway: Gateway, name: str) -> None:
        turn = await gateway.take(key)
        order.append(name)
        await asyncio.sleep(0.02)
        turn.release()

    first = await one.take(key)
    waiting = []
    for name, gateway in (("one", one), ("other", other)) * 3:
        waiting.append(asyncio.create_task(write(gateway, name)))
        await asyncio.sleep(0.02)
    (await one.take(fresh_key())).release()
    first.release()
    await asyncio.gather(*waiting)
    assert order == ["other", "one"] * 3, "who has just written stands behind who waits"


async def test_a_turn_is_kept_longer_than_it_lasts_without_renewal(make: Make) -> None:
    one, other, key = await make(), await make(), fresh_key()
    turn = await one.take(key)
    assert await other.is_busy(key, 1.2 * TTL_S)
    turn.release()
    (await other.take(key)).release()
    assert one.lost == 0


async def test_the_turn_of_a_gateway_that_has_died_ends_in_time(make: Make) -> None:
    one, other, key = await make(), await make(), fresh_key()
    await one.take(key)
    await one.turns.aclose()
    began = time.monotonic()
    (await other.take(key)).release()
    assert time.monotonic() - began > TTL_S / 2


async def test_a_turn_that_redis_has_given_away_is_counted_and_taken_from_nobody(make: Make) -> None:
    one, other, key = await make(), await make(), fresh_key()
    turn = await one.take(key)
    assert await say(b"DEL", b"strangler:turn:" + turn.name) == b"1"
    theirs = await other.take(key)
    await until(lambda: one.lost == 1)
    turn.release()
    assert await one.is_busy(key, 2 * RENEW_S), "the release of a lost turn ends no other"
    theirs.release()
    assert other.lost == 0


async def test_who_leaves_the_line_keeps_nobody_waiting(make: Make) -> None:
    one, other, third, key = await make(), await make(), await make(), fresh_key()
    turn = await one.take(key)
    leaving = asyncio.create_task(other.take(key))
    await asyncio.sleep(0.1)
    staying = asyncio.create_task(third.take(key))
    await asyncio.sleep(0.1)
    leaving.cancel()
    await asyncio.gather(leaving, return_exceptions=True)
    turn.release()
    (await asyncio.wait_for(staying, WAIT_S)).release()
    (await other.take(key)).release()


async def test_nothing_stays_in_redis(make: Make) -> None:
    gateway, key = await make(), fresh_key()
    turn = await gateway.take(key)
    assert await say(b"EXISTS", b"strangler:turn:" + turn.name) == b"1"
    turn.release()
    (await gateway.take(fresh_key())).release()
    assert await say(b"EXISTS", b"strangler:turn:" + turn.name) == b"0"
