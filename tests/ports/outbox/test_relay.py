"""What is in the outbox reaches the broker, whatever fails, and is marked when the broker has it."""

import asyncio
import time
from contextlib import AbstractAsyncContextManager
from dataclasses import replace
from typing import Any

import pytest
from sqlalchemy import text
from structlog.contextvars import bound_contextvars, merge_contextvars
from structlog.testing import capture_logs

from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.messaging.port import BrokerUnavailable, PublishRefused, Unroutable
from chassis.outbox.destination_worker import RelayPace
from chassis.outbox.relay import OutboxRelay
from chassis.store import StoreUnavailable
from tests.ports.outbox.brokers import Taking, running, until
from tests.ports.outbox.service import SERVICE, Service, message

QUICK = RelayPace(publish_timeout_s=0.2, poll_s=0.02, first_retry_s=0.01, last_retry_s=0.05)
NEVER_POLLS = replace(QUICK, poll_s=3600)
DECREASE = "purchases.commands shop.decrease_quantity.v1"


def relaying(service: Service, broker: Taking, pace: RelayPace = QUICK) -> AbstractAsyncContextManager[OutboxRelay]:
    return running(OutboxRelay(service.database, service.outbox, broker, pace))


async def all_out(service: Service) -> bool:
    async with service.database.read() as connection:
        return await service.outbox.unpublished(connection) == {}


async def test_everything_is_sent_once_and_marked(service: Service) -> None:
    broker, put = Taking(), [message() for _ in range(250)]
    await service.put(*put)
    async with relaying(service, broker):
        await until(lambda: all_out(service))
    assert broker.taken == put
    assert broker.most_under_way == QUICK.window


async def test_it_does_not_log_under_the_request_that_woke_it_first(service: Service) -> None:
    broker = Taking()
    broker.faults["purchases.commands"] = Unroutable("no queue")
    with capture_logs([merge_contextvars]) as logs:
        async with relaying(service, broker, NEVER_POLLS):
            with bound_contextvars(request_id="of somebody"):
                await service.put(message())
            await until(lambda: broker.asked >= 1 and bool(logs))
    assert [log.get("request_id") for log in logs if log["event"] == "outbox_waits"] == [None]


async def test_what_another_process_put_is_found_by_looking(service: Service) -> None:
    broker, other = Taking(), Service(service.database, OwnTables(SERVICE, service.database.is_sqlite), service.clock)
    async with relaying(service, broker):
        await other.put(message())
        await until(lambda: len(broker.taken) == 1)


@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        (Unroutable("no queue"), "no queue"),
        (PublishRefused("full"), "full"),
        (BrokerUnavailable("gone"), "gone"),
        (None, "in time"),  # it hangs
        (asyncio.CancelledError(), "cancelled"),  # a publisher that cancels what it waits for
        (KeyError("a mistake"), "KeyError: 'a mistake'"),
    ],
)
async def test_a_message_that_is_not_confirmed_is_never_marked_and_goes_later(
    service: Service, fault: BaseException | None, reason: str
) -> None:
    broker, put = Taking(), message()
    broker.faults["purchases.commands"] = fault
    async with relaying(service, broker) as relay:
        await service.put(put)
        await until(lambda: broker.asked >= 3)
        assert not await all_out(service)
        assert reason in relay.troubles()[DECREASE].reason
        del broker.faults["purchases.commands"]
        await until(lambda: all_out(service))
        await until(lambda: relay.troubles() == {})
    assert broker.taken == [put]


async def test_a_message_that_can_never_be_sent_holds_up_no_other(service: Service) -> None:
    broker, bad, good = Taking(), message(), message()
    await service.put(bad, good)
    table = "account_outbox" if service.database.is_sqlite else "account.outbox"
    async with service.database.write() as connection:
        await connection.execute(text(f"UPDATE {table} SET properties = '{{}}' WHERE message_id = :id"), {"id": bad.id})
    async with relaying(service, broker):
        await until(lambda: len(broker.taken) == 1)
        await service.put(message())
        await until(lambda: len(broker.taken) == 2)
    assert bad.id not in broker.ids()
    assert not await all_out(service)


async def test_a_claim_that_was_committed_while_the_answer_was_lost_is_made_again_when_its_lease_ends(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, once, losses = Taking(), service.database.execute, [1]

    async def losing(*statement: Any, **how: Any) -> Any:
        rows = await once(*statement, **how)
        if losses:
            losses.clear()
            service.clock.move(QUICK.lease_s + 1)
            raise StoreUnavailable("cut after COMMIT")
        return rows

    await service.put(message())
    monkeypatch.setattr(service.database, "execute", losing)
    async with relaying(service, broker):
        await until(lambda: all_out(service))
    assert not losses
    assert len(broker.taken) == 1


async def test_a_full_queue_never_holds_up_another(service: Service) -> None:
    broker = Taking()
    broker.faults["mail"] = PublishRefused("full")
    await service.put(*(message() for _ in range(300)), exchange="mail")
    async with relaying(service, broker, NEVER_POLLS):
        await until(lambda: broker.asked >= QUICK.window)
        for sent in range(20):
            await service.put(message())
            await until(lambda sent=sent: len(broker.taken) > sent)  # type: ignore[misc]
    assert {envelope.type for envelope in broker.taken} == {"shop.decrease_quantity.v1"}


async def test_a_destination_that_takes_nothing_is_asked_with_one_message_at_a_time(service: Service) -> None:
    broker = Taking()
    broker.faults["purchases.commands"] = BrokerUnavailable("gone")
    await service.put(*(message() for _ in range(300)))
    async with relaying(service, broker):
        await until(lambda: broker.asked > QUICK.window)
        broker.most_under_way = 0
        await until(lambda: broker.asked > QUICK.window + 3)
        assert broker.most_under_way == 1


async def test_a_broker_that_is_away_is_not_asked_without_pause(service: Service) -> None:
    broker = Taking()
    broker.faults["purchases.commands"] = BrokerUnavailable("gone")
    await service.put(message())
    async with relaying(service, broker, replace(QUICK, first_retry_s=0.1, last_retry_s=0.1)):
        began = time.monotonic()
        await until(lambda: broker.asked >= 4)
        assert time.monotonic() - began >= 0.05 * 3


async def test_two_relays_share_the_work_and_send_nothing_twice(service: Service) -> None:
    broker, put = Taking(), [message() for _ in range(500)]
    other = Service(service.database, OwnTables(SERVICE, service.database.is_sqlite), service.clock)
    await service.put(*put)
    pace = replace(QUICK, window=10)
    async with relaying(service, broker, pace), relaying(other, broker, pace):
        await until(lambda: all_out(service))
    assert sorted(broker.ids()) == sorted(envelope.id for envelope in put)


async def test_a_crash_between_confirm_and_mark_sends_it_again_under_the_same_id(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker, put = Taking(), message()
    stopped = asyncio.Event()

    async def hang(name: str) -> None:
        assert name == "relay.confirmed"
        stopped.set()
        await asyncio.Event().wait()

    with monkeypatch.context() as patch:
        patch.setattr("chassis.outbox.destination_worker.reach", hang)
        crashing = asyncio.create_task(OutboxRelay(service.database, service.outbox, broker, QUICK).run())
        await service.put(put)
        await asyncio.wait_for(stopped.wait(), 10)
        crashing.cancel()
        await asyncio.wait([crashing])
    assert not await all_out(service)
    service.clock.move(QUICK.lease_s + 0.1)
    async with relaying(service, broker):
        await until(lambda: all_out(service))
    assert broker.taken == [put, put]


async def test_it_waits_for_a_database_that_is_away_and_goes_on(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Taking()
    away = Database("sqlite:////nowhere/at/all.sqlite3")
    relay = OutboxRelay(service.database, service.outbox, broker, QUICK)
    for access in ("read", "write", "prepared_write", "execute"):
        monkeypatch.setattr(service.database, access, getattr(away, access))
    async with running(relay):
        await until(lambda: relay.troubles().get("", None) is not None and relay.troubles()[""].attempts >= 3)
        monkeypatch.undo()
        await service.put(message())
        await until(lambda: len(broker.taken) == 1)
        await until(lambda: relay.troubles() == {})


async def test_a_batch_that_cannot_be_marked_now_is_marked_later_and_not_sent_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    broker = Taking()
    away = Database("sqlite:////nowhere/at/all.sqlite3")

    async def lose_the_database(_name: str) -> None:
        for access in ("write", "prepared_write", "execute"):
            monkeypatch.setattr(service.database, access, getattr(away, access))

    monkeypatch.setattr("chassis.outbox.destination_worker.reach", lose_the_database)
    async with relaying(service, broker, NEVER_POLLS) as relay:
        await service.put(message())
        await until(lambda: relay.troubles().get(DECREASE) is not None and relay.troubles()[DECREASE].attempts >= 2)
        assert "database" in relay.troubles()[DECREASE].reason
        monkeypatch.undo()
        await until(lambda: all_out(service))
    assert len(broker.taken) == 1


async def test_it_stops_when_what_is_under_way_has_been_marked(service: Service) -> None:
    broker = Taking()
    await service.put(*(message() for _ in range(1000)))
    async with relaying(service, broker):
        await until(lambda: len(broker.taken) > 0)
    async with service.database.read() as connection:
        assert await service.outbox.unpublished(connection) == {DECREASE: 1000 - len(broker.taken)}


async def test_its_status_tells_what_waits_how_long_and_why(service: Service) -> None:
    broker = Taking()
    broker.faults["purchases.commands"] = PublishRefused("full")
    async with relaying(service, broker) as relay:
        await service.put(message(), message())
        service.clock.move(5)
        await until(lambda: relay.troubles() != {})
        status = await relay.status()
    assert status.unpublished == {DECREASE: 2}
    assert status.oldest_s == {DECREASE: 5.002}
    assert status.troubles[DECREASE].reason == "full"


async def test_what_is_old_and_published_is_removed(service: Service) -> None:
    broker, put = Taking(), message()
    await service.put(put)
    async with relaying(service, broker):
        await until(lambda: all_out(service))
    service.clock.move(QUICK.keep_s + 1)

    async def gone() -> bool:
        async with service.database.read() as connection:
            return await service.outbox.published_at(connection, put.id) is None

    async with relaying(service, broker):
        await until(gone)
