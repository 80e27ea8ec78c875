"""One way to count, in memory and in Redis: the same requests pass, and clients are told the same numbers."""

import asyncio
import random
from collections.abc import AsyncIterator

import pytest

from strangler_gateway.limits.counters import Count
from tests.ports.limits.counting import Counting, InMemory, in_redis, policy
from tests.support.connected import REDIS_URL


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.connected)])
async def counting(request: pytest.FixtureRequest) -> AsyncIterator[Counting]:
    if request.param == "memory":
        yield InMemory()
    else:
        async with in_redis(REDIS_URL) as counting:
            yield counting


def told(count: Count) -> tuple[int, list[tuple[int, int]]]:
    return count.wait_us, list(count.left)


@pytest.mark.parametrize(
    ("rate", "burst", "passing"),
    [
        ("3/minute", None, {0: 3, 59.9: 0, 60: 3, 119.9: 0, 200: 3}),
        ("3/minute, 4/hour", None, {0: 3, 60: 1, 120: 0, 3600: 3, 3660: 1}),
        ("2/minute", 5, {0: 5, 59.9: 0, 60: 2, 120: 2, 300: 5, 360: 2}),
        ("6/minute", 2, {0: 2, 19.9: 0, 20: 2, 39.9: 0, 60: 2, 600: 2}),
    ],
    ids=["one window", "two windows", "a burst above the rate", "a burst below the rate"],
)
async def test_so_many_requests_pass_at_these_times(
    counting: Counting, rate: str, burst: int | None, passing: dict[float, int]
) -> None:
    limit, now, passed = policy(rate, burst), 0.0, {}
    for at in passing:
        await counting.pass_time(at - now)
        now = at
        passed[at] = sum([(await counting.take(limit, b"a")).wait_us == 0 for _ in range(8)])
    assert passed == passing


async def test_a_window_begins_with_the_first_request_and_a_refused_one_counts_for_no_window(
    counting: Counting,
) -> None:
    limit = policy("1/minute, 3/hour")
    assert told(await counting.take(limit, b"a")) == (0, [(0, 60_000_000), (2, 3_600_000_000)])
    await counting.pass_time(15)
    for _ in range(3):
        assert told(await counting.take(limit, b"a")) == (45_000_000, [(0, 45_000_000), (2, 3_585_000_000)])
    await counting.pass_time(50)
    assert told(await counting.take(limit, b"a")) == (0, [(0, 60_000_000), (1, 3_535_000_000)])


async def test_callers_routes_and_changed_rates_are_counted_apart(counting: Counting) -> None:
    first, second = policy("1/minute", route="first"), policy("1/minute")
    changed = policy("1/minute, 9/hour", route="first")
    assert [(await counting.take(limit, b"a")).wait_us > 0 for limit in (second, second)] == [False, True]
    assert (await counting.take(second, b"b")).wait_us == 0
    assert (await counting.take(changed, b"c" + repr(id(counting)).encode())).wait_us == 0
    assert (await counting.take(first, b"c" + repr(id(counting)).encode())).wait_us == 0


async def test_requests_at_once_never_take_more_than_there_is(counting: Counting) -> None:
    limit = policy("50/minute")
    counts = await asyncio.gather(*(counting.take(limit, b"a") for _ in range(200)))
    assert sum(count.wait_us == 0 for count in counts) == 50


@pytest.mark.connected
async def test_redis_counts_as_memory_does_whatever_comes() -> None:
    chance = random.Random(20)
    limits = [policy("3/second, 20/minute", 5), policy("7/minute", 3), policy("2 per 3 seconds")]
    memory = InMemory()
    async with in_redis(REDIS_URL) as shared:
        for _ in range(500):
            seconds = chance.choice([0, 0, 0, 0.25, 1, 2.5, 61])
            await memory.pass_time(seconds)
            await shared.pass_time(seconds)
            limit, caller = chance.choice(limits), chance.choice([b"a", b"b"])
            expected = await memory.take(limit, caller)
            assert told(await shared.take(limit, caller)) == told(expected)
