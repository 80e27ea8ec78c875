"""The store of one gateway: what every store has to do."""

from strangler_gateway.cluster.record import GroupRecord, decide
from strangler_gateway.cluster.store import EmbeddedStore, GroupStore
from strangler_gateway.table.position import Position
from strangler_gateway.table.routes import MigrationState

RECORD = decide(GroupRecord(), Position(MigrationState.SHADOW), 1.0)


async def test_a_record_is_written_only_at_the_index_that_was_read() -> None:
    store: GroupStore = EmbeddedStore()
    empty = await store.read("items")
    assert (empty.record, (await store.read_all()).groups) == (GroupRecord(), {})
    assert await store.cas("items", RECORD, empty.index)
    assert not await store.cas("items", GroupRecord(), empty.index)
    stored = await store.read("items")
    assert stored.record == RECORD
    assert await store.cas("items", RECORD, stored.index, await store.lease())
    assert not await store.cas("items", RECORD, stored.index)


async def test_an_index_of_another_store_counts_for_nothing() -> None:
    store, other = EmbeddedStore(), EmbeddedStore()
    assert not await store.cas("items", RECORD, (await other.read("items")).index)


async def test_a_watch_begins_with_all_records() -> None:
    store = EmbeddedStore()
    await store.cas("items", RECORD, (await store.read("items")).index)
    async for seen in store.watch():
        assert {group: one.record for group, one in seen.groups.items()} == {"items": RECORD}
        break
