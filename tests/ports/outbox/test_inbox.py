"""A message is handled first once: by whoever commits it."""

import asyncio
from datetime import timedelta

from tests.ports.outbox.service import Service


async def first(service: Service, message_id: str, consumer: str = "account.purchases") -> bool:
    async with service.database.write() as connection:
        return await service.inbox.first(connection, consumer, message_id)


async def test_the_second_time_is_not_the_first(service: Service) -> None:
    assert await first(service, "1")
    assert not await first(service, "1")
    assert await first(service, "2")


async def test_two_consumers_each_have_a_first_time(service: Service) -> None:
    assert await first(service, "1", "a")
    assert await first(service, "1", "b")


async def test_of_many_at_once_one_is_the_first(service: Service) -> None:
    assert sum(await asyncio.gather(*(first(service, "1") for _ in range(5)))) == 1


async def test_what_was_rolled_back_was_never_seen(service: Service) -> None:
    async with service.database.write() as connection:
        assert await service.inbox.first(connection, "a", "1")
        await connection.rollback()
    assert await first(service, "1", "a")


async def test_it_forgets_what_is_old(service: Service) -> None:
    await first(service, "old")
    service.clock.move(100)
    await first(service, "young")
    async with service.database.write() as connection:
        assert await service.inbox.prune(connection, timedelta(seconds=50)) == 1
    assert await first(service, "old")
    assert not await first(service, "young")
