"""What only the garbage collector can free: an answered request leaves none of it behind, nor does a connection.

(Where a call that is required fails, the task group of the standard library leaves its errors in a cycle.)
"""

import gc
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest

from tests.support.gateway.aggregating import World, aggregating, text
from tests.support.gateway.publishing import SECRET, bearer


@contextmanager
def in_cycles() -> Iterator[Counter[str]]:
    """At its end: how many objects of the gateway's own classes were left in cycles within the block, by class."""
    found = Counter[str]()
    gc.collect()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
        gc.collect()
        kinds = [type(one) for one in gc.garbage]
        found.update(kind.__name__ for kind in kinds if kind.__module__.startswith("strangler_gateway."))
    finally:
        gc.set_debug(0)
        gc.garbage.clear()


@pytest.fixture(autouse=True)
def _key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", SECRET.decode())


async def test_an_aggregate_leaves_no_cycle_also_where_a_call_fails() -> None:
    world = World()
    async with aggregating(world) as (client, _):
        await _ask(client)
        with in_cycles() as found:
            for status in (200, 500, 404):
                world.odd[b"/user/u%201/email?all"] = text(status, b"")
                assert (await _ask(client)).status_code == 200
        assert found == {}


async def test_a_connection_leaves_no_cycle() -> None:
    async with aggregating(World()) as (client, _):
        with in_cycles() as found:
            for _ in range(3):
                async with httpx.AsyncClient(base_url=client.base_url, trust_env=False, timeout=30) as another:
                    assert (await another.get("/other")).status_code == 404
        assert found == {}


async def _ask(client: httpx.AsyncClient) -> httpx.Response:
    return await client.get("/me/overview", headers=bearer("ada"))
