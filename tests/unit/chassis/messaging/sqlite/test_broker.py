"""The embedded broker when its file is away, locked or shared inside one process; the queues that it prunes."""

import asyncio
import sqlite3
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from chassis.messaging.envelope import MessageInvalid
from chassis.messaging.port import BrokerUnavailable, TopologyDiffers, Unroutable
from chassis.messaging.sqlite import jobs
from chassis.messaging.sqlite.broker import SqliteBroker
from tests.support.messaging import OTHER, THINGS, TOPOLOGY, Collector, thing, until


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[SqliteBroker]:
    broker = SqliteBroker(tmp_path / "folder" / "broker.db", "test")
    yield broker
    await broker.aclose()


@pytest.fixture
async def declared(broker: SqliteBroker) -> SqliteBroker:
    """Its file is there, with the topology."""
    broker.path.parent.mkdir()
    await broker.declare(TOPOLOGY)
    return broker


async def test_a_file_that_cannot_be_opened_is_a_broker_that_is_away_until_it_can(broker: SqliteBroker) -> None:
    received = Collector()
    subscription = await broker.consume("things", received)
    with pytest.raises(BrokerUnavailable, match="unable to open"):
        await broker.ping()
    with pytest.raises(BrokerUnavailable):
        await broker.publish("events", thing())
    await until(lambda: not subscription.is_consuming)
    broker.path.parent.mkdir()
    await broker.declare(TOPOLOGY)
    await broker.publish("events", thing())
    await received.until(1)
    assert subscription.is_consuming


async def test_replies_are_waited_for_though_the_file_is_away_at_first(broker: SqliteBroker) -> None:
    key = await broker.replies("answers", received := Collector())
    broker.path.parent.mkdir()
    await until(lambda: _is_routable(broker, key))
    await received.until(1)


async def test_a_file_that_another_holds_locked_gives_no_confirm_in_time(declared: SqliteBroker) -> None:
    with sqlite3.connect(declared.path, isolation_level=None) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(BrokerUnavailable, match=r"no confirm within 0\.1 s"):
            await declared.publish("events", thing(), timeout_s=0.1)
        other.execute("ROLLBACK")
    other.close()
    await declared.publish("events", thing())


@pytest.mark.parametrize("properties", ["no json", "[]"])
async def test_a_row_that_a_hand_has_written_wrongly_is_a_message_that_is_none_of_ours(
    declared: SqliteBroker, properties: str
) -> None:
    insert = "INSERT INTO message (queue, properties, body) VALUES ('things', ?, x'')"
    await declared.run(lambda connection: connection.execute(insert, (properties,)).rowcount)
    await declared.consume("things", received := Collector())
    await received.until(1)
    with pytest.raises(MessageInvalid):
        received.handled[0].envelope()


async def test_a_consumer_outlives_tables_that_are_not_as_they_should_be(declared: SqliteBroker) -> None:
    subscription = await declared.consume("things", received := Collector())
    with sqlite3.connect(declared.path) as hand:
        hand.execute("ALTER TABLE message RENAME TO gone")
        await until(lambda: not subscription.is_consuming)
        hand.execute("ALTER TABLE gone RENAME TO message")
    hand.close()
    await until(lambda: subscription.is_consuming)
    await declared.publish("events", thing())
    await received.until(1)


async def test_a_closed_broker_is_away(declared: SqliteBroker) -> None:
    await declared.aclose()
    with pytest.raises(BrokerUnavailable, match="closed"):
        await declared.publish("events", thing())
    assert not [thread for thread in threading.enumerate() if thread.name == "SQLite broker"]


async def test_every_connection_of_the_process_is_woken_without_waiting_for_a_poll(tmp_path: Path) -> None:
    brokers = [SqliteBroker(tmp_path / "broker.db", "test", poll_s=300) for _ in range(2)]
    await brokers[0].declare(TOPOLOGY)
    received = [Collector(), Collector()]
    await brokers[0].consume("things", received[0])
    await brokers[1].consume("others", received[1])
    for number in range(1, 4):
        await brokers[0].publish("events", thing(number))
        await brokers[0].publish("events", thing(number, OTHER))
        await received[0].until(number)
        await received[1].until(number)
    await asyncio.gather(*(broker.aclose() for broker in brokers))


async def test_a_message_that_a_stop_cuts_off_goes_back_without_counting(declared: SqliteBroker) -> None:
    await declared.publish("events", thing())
    stopped = await declared.consume("things", cut_off := Collector(asyncio.Event()))
    await until(lambda: len(cut_off.begun) == 1)
    await stopped.stop(grace_s=0)
    await declared.consume("things", received := Collector())
    await received.until(1)
    assert received.handled[0].count == 0


async def test_a_binding_that_nobody_wants_any_more_differs(declared: SqliteBroker) -> None:
    bind = "INSERT INTO binding VALUES ('elsewhere', 'key', 'things')"
    await declared.run(lambda connection: connection.execute(bind).rowcount)
    with pytest.raises(TopologyDiffers, match="things is also bound to elsewhere/key"):
        await declared.declare(TOPOLOGY)


async def test_a_queue_of_replies_lasts_as_long_as_its_owner(declared: SqliteBroker) -> None:
    alive = SqliteBroker(declared.path, "alive", silence_s=0.4)
    key = await alive.replies("answers", received := Collector())
    ended = alive.clock() + 0.4
    await declared.run(lambda connection: jobs.keep_replies(connection, "answers", "of a dead one", ended))
    await until(lambda: alive.clock() > ended)
    await until(lambda: _is_unroutable(declared, "of a dead one"))
    await declared.publish("answers", thing(), routing_key=key)
    await received.until(1)
    await alive.aclose()
    assert await _is_unroutable(declared, key)


async def test_a_queue_of_replies_comes_back_when_its_owner_had_stood_still_for_too_long(broker: SqliteBroker) -> None:
    broker.path.parent.mkdir()
    owner = SqliteBroker(broker.path, "owner", silence_s=0.2)
    key = await owner.replies("answers", received := Collector())
    await broker.run(lambda connection: jobs.delete_queue(connection, key))

    await until(lambda: _is_routable(broker, key))
    await received.until(1)
    await owner.aclose()


@pytest.mark.parametrize(("is_full", "synchronous"), [(False, 1), (True, 2)])
async def test_confirms_wait_for_the_disk_if_that_is_asked_for(tmp_path: Path, is_full: bool, synchronous: int) -> None:
    broker = SqliteBroker(tmp_path / "broker.db", "test", is_full=is_full)
    assert await broker.run(lambda c: c.execute("PRAGMA synchronous").fetchone()) == (synchronous,)
    assert await broker.run(lambda c: c.execute("PRAGMA journal_mode").fetchone()) == ("wal",)
    await broker.aclose()


async def test_a_refusal_takes_nothing_along_that_is_published_at_the_same_time(declared: SqliteBroker) -> None:
    wrong = [declared.publish("nowhere", thing()) for _ in range(20)]
    right = [declared.publish("events", thing()) for _ in range(20)]
    outcomes = await asyncio.gather(
        *(one for pair in zip(wrong, right, strict=True) for one in pair), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [Unroutable, type(None)] * 20
    assert await declared.depth(THINGS.name) == 20


async def _is_unroutable(broker: SqliteBroker, key: str) -> bool:
    try:
        await broker.publish("answers", thing(), routing_key=key)
    except Unroutable:
        return True
    return False


async def _is_routable(broker: SqliteBroker, key: str) -> bool:
    return not await _is_unroutable(broker, key)
