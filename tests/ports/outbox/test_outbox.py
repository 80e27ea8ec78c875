"""What is put is there when the transaction commits, is claimed by one, and is out when the broker has it."""

from datetime import timedelta

import pytest

from chassis.messaging.envelope import Envelope, MessageInvalid
from tests.ports.outbox.service import Service, message

LEASE = timedelta(seconds=10)
DECREASE = "purchases.commands shop.decrease_quantity.v1"
CANCEL = "purchases.commands shop.cancel_purchase.v1"


async def claim(service: Service, token: str, limit: int = 100, destination: str = DECREASE) -> list[Envelope]:
    async with service.database.write() as connection:
        claimed = await service.outbox.claim(connection, destination, token, limit, LEASE)
    return [waiting.envelope() for waiting in claimed]


async def ages(service: Service) -> dict[str, float]:
    async with service.database.read() as connection:
        oldest = await service.outbox.oldest(connection)
    return {destination: round(age.total_seconds(), 3) for destination, age in oldest.items()}


async def test_a_message_comes_out_as_it_was_put_and_not_before_it_is_confirmed_nor_when_rolled_back(
    service: Service,
) -> None:
    put = message(itemId="é ✓ \0", nested={"a": [1, None]})
    await service.put(put)
    async with service.database.write() as connection:
        await service.outbox.put(connection, "purchases.commands", message())
        await connection.rollback()
    assert await claim(service, "a") == [put]
    async with service.database.read() as connection:
        assert await service.outbox.published_at(connection, put.id) is None


async def test_a_body_that_is_no_message_is_refused_before_the_commit(service: Service) -> None:
    with pytest.raises(MessageInvalid):
        async with service.database.write() as connection:
            await service.outbox.put(connection, "purchases.commands", message(number=float("nan")))


async def test_the_oldest_are_claimed_first_and_each_by_one_alone(service: Service) -> None:
    put = [message() for _ in range(5)]
    await service.put(*put)
    assert await claim(service, "a", limit=3) == put[:3]
    assert await claim(service, "b") == put[3:]
    assert await claim(service, "c") == []


async def test_a_lease_ends_and_the_message_is_claimed_again(service: Service) -> None:
    await service.put(message())
    assert len(await claim(service, "a")) == 1
    service.clock.move(9.9)
    assert await claim(service, "b") == []
    service.clock.move(0.2)
    assert len(await claim(service, "b")) == 1
    service.clock.move(-3600)  # a lease taken before the clock went back an hour holds nothing
    assert len(await claim(service, "c")) == 1


async def test_a_lease_taken_by_whom_looked_at_the_clock_a_moment_later_holds(service: Service) -> None:
    """Two claim at once: the clock is looked at before the database lets one of them in first."""
    await service.put(message())
    service.clock.move(0.01)
    assert len(await claim(service, "a")) == 1
    service.clock.move(-0.01)
    assert await claim(service, "b") == []


async def test_a_late_release_does_not_end_the_lease_of_another(service: Service) -> None:
    put = message()
    await service.put(put)
    await claim(service, "a")
    service.clock.move(11)
    await claim(service, "b")
    async with service.database.write() as connection:
        await service.outbox.release(connection, [put.id], "a")
    assert await claim(service, "c") == []
    async with service.database.write() as connection:
        await service.outbox.release(connection, [put.id], "b")
    assert await claim(service, "c") == [put]


async def test_a_confirmed_message_stays_so_whoever_has_a_lease_on_it(service: Service) -> None:
    put = message()
    await service.put(put)
    await claim(service, "a")
    service.clock.move(11)
    await claim(service, "b")
    async with service.database.write() as connection:
        await service.outbox.confirmed(connection, [put.id])
    first = service.clock.now
    service.clock.move(1)
    async with service.database.write() as connection:
        await service.outbox.release(connection, [put.id], "b")
        await service.outbox.confirmed(connection, [put.id])
        assert await service.outbox.published_at(connection, put.id) == first
    service.clock.move(11)
    assert await claim(service, "c") == []


async def test_a_claim_takes_nothing_of_another_destination(service: Service) -> None:
    cancel, elsewhere = message("shop.cancel_purchase.v1"), message()
    await service.put(cancel)
    await service.put(elsewhere, exchange="other")
    assert await claim(service, "a") == []
    assert await claim(service, "a", destination=CANCEL) == [cancel]


async def test_ages_are_told_per_destination(service: Service) -> None:
    await service.put(message(), message())
    service.clock.move(2)
    await service.put(message("shop.cancel_purchase.v1"))
    await service.put(message(), exchange="mail")
    service.clock.move(1)
    assert await ages(service) == {CANCEL: 1.002, DECREASE: 3.004, "mail shop.decrease_quantity.v1": 1.001}
    async with service.database.read() as connection:
        assert await service.outbox.oldest_unpublished(connection) == timedelta(seconds=3.004)
        assert await service.outbox.oldest_unpublished(connection, "mail") == timedelta(seconds=1.001)
        assert await service.outbox.oldest_unpublished(connection, "elsewhere") is None
        assert (await service.outbox.unpublished(connection))[DECREASE] == 2
    service.clock.move(-3600)
    assert set((await ages(service)).values()) == {0}


async def test_old_published_messages_are_removed_and_unpublished_ones_never(service: Service) -> None:
    old, waiting, young = message(), message(), message()
    await service.put(old, waiting)
    async with service.database.write() as connection:
        await service.outbox.confirmed(connection, [old.id])
    service.clock.move(100)
    await service.put(young)
    async with service.database.write() as connection:
        await service.outbox.confirmed(connection, [young.id])
        assert await service.outbox.prune(connection, timedelta(seconds=50)) == 1
        assert await service.outbox.prune(connection, timedelta(seconds=50)) == 0
        assert await service.outbox.published_at(connection, young.id) is not None
    assert await claim(service, "a") == [waiting]
