"""The store of many gateways on a real Consul: wiped, restored, silent; fenced by its lease."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest

from chassis.consul.client import Consul
from chassis.consul.settings import ConsulSettings
from parts.fresh import fresh_name
from parts.servers.consul import ConsulServer, own
from strangler_gateway.cluster.consul_store import ConsulStore
from strangler_gateway.cluster.member import ClusterMember
from strangler_gateway.cluster.record import GroupRecord, Hold, mint, rollback
from strangler_gateway.cluster.store import StoreAway, StoreSnapshot

pytestmark = pytest.mark.connected
HOUSE = ClusterMember("gw1", "7f3a", "http://127.0.0.1:1", 5.0, {"items": "h"})


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ConsulServer]:
    with own(tmp_path_factory.mktemp("consul")) as server:
        yield server


@asynccontextmanager
async def opened(server: ConsulServer, prefix: str | None = None) -> AsyncIterator[ConsulStore]:
    """A gateway's view of a cluster of its own, or of this one."""
    consul = Consul(ConsulSettings(server.url, timeout_s=2))
    store = ConsulStore(consul, prefix or fresh_name(), "gw1", session_ttl_s=10)
    try:
        yield store
    finally:
        await store.aclose()


def rolled_back(record: GroupRecord, run: str = "7f3a") -> GroupRecord:
    return rollback(record, mint(record, run), Hold(1.0, "ada"))


async def test_of_two_writes_at_one_index_one_wins(server: ConsulServer) -> None:
    async with opened(server) as store:
        seen = await store.read("items")
        assert seen.record == GroupRecord()
        records = [rolled_back(seen.record, run) for run in ("a", "b")]
        won = await asyncio.gather(*(store.cas("items", record, seen.index) for record in records))
        assert sorted(won) == [False, True]
        assert (await store.read_all()).of("items").record == records[won.index(True)]


async def test_clusters_with_other_prefixes_do_not_see_each_other(server: ConsulServer) -> None:
    async with opened(server) as one, opened(server) as other:
        seen = await one.read("items")
        assert await one.cas("items", rolled_back(seen.record), seen.index)
        assert (await other.read_all()).groups == {}
        assert one.cluster != other.cluster


async def test_a_watch_tells_changes_of_others_and_goes_on_after_an_outage(server: ConsulServer) -> None:
    prefix = fresh_name()
    async with opened(server, prefix) as store, opened(server, prefix) as other:
        session = await other.lease()
        watch = store.watch()
        assert (await first(watch)).groups == {}
        seen = await other.read("items")
        assert await other.cas("items", rolled_back(seen.record), seen.index)
        assert list((await first(watch)).groups) == ["items"]
        await other.report(HOUSE)
        await first(watch)
        assert store.members == {"gw1": HOUSE}
        server.suspend()
        try:
            with pytest.raises(StoreAway):
                await other.lease()
            assert other.away_since is not None
        finally:
            server.resume()
        await other.report(replace(HOUSE, at=6.0))
        await first(watch)
        assert store.members["gw1"].at == 6.0
        assert other.away_since is None
        assert await other.lease() == session, "it goes on at once"


async def test_a_wiped_store_has_a_new_id_and_what_was_prepared_before_fails(server: ConsulServer) -> None:
    async with opened(server) as store:
        seen = await store.read("items")
        assert await store.cas("items", rolled_back(seen.record), seen.index)
        written, backup = await store.read("items"), await asyncio.to_thread(server.snapshot)
        await asyncio.to_thread(server.wipe)
        again = await store.read("items")
        assert again.record == GroupRecord()
        assert again.index.cluster != seen.index.cluster
        assert not await store.cas("items", written.record, written.index)
        assert not await store.cas("items", written.record, seen.index)
        assert (await store.read_all()).groups == {}
        await asyncio.to_thread(server.restore, backup)
        assert await store.read("items") == written


async def test_only_who_holds_the_lease_moves_by_itself(server: ConsulServer) -> None:
    prefix = fresh_name()
    async with opened(server, prefix) as store, opened(server, prefix) as other:
        session = await store.lease()
        assert session is not None
        assert await store.lease() == session
        assert await other.lease() is None
        seen = await store.read("items")
        assert await store.cas("items", rolled_back(seen.record), seen.index, session)
        seen = await store.read("items")
        await store._consul.destroy_session(session)  # as its time to live would, later
        assert not await store.cas("items", rolled_back(seen.record), seen.index, session)
        assert await other.lease() is not None


async def test_what_is_no_record_is_left_out_and_stops_nobody_else(server: ConsulServer) -> None:
    async with opened(server) as store:
        cluster = (await store.read("items")).index.cluster
        for key, value in (("groups/odd", b"x"), ("members/odd", b"[]"), ("more", b"")):
            await store._consul.put(f"{store._root}{cluster}/{key}", value)
        assert (await store.read_all()).groups == {}
        assert store.members == {"odd": ClusterMember("odd")}


async def first(watch: AsyncIterator[StoreSnapshot]) -> StoreSnapshot:
    """The next one, in time."""
    async with asyncio.timeout(60):
        return await anext(watch)
