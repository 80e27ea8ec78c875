"""A message is handled first once: by whoever commits it."""

import asyncio
from datetime import timedelta

from tests.ports.outbox.service import Service


async def first(service: Service, message_id: str, consumer: str = "account.purchases") -> bool:
    async with service.database.write() as connection:
        return await service.inbox.first(connection, consumer, message_id)


async def test_each_consumer_has_a_first_time_once_unless_it_was_rolled_back(service: Service) -> None:
    async with service.database.write() as connection:
        assert await service.inbox.first(connection, "a", "1")
        await connection.rollback()
    assert sum(await asyncio.gather(*(first(service, "1", "a") for _ in range(5)))) == 1
    assert await first(service, "2", "a")
    assert await first(service, "1", "b")


async def test_it_forgets_what_is_old(service: Service) -> None:
    await first(service, "old")
    service.clock.move(100)
    await first(service, "young")
    async with service.database.write() as connection:
        assert await service.inbox.prune(connection, timedelta(seconds=50)) == 1
    assert await first(service, "old")
    assert not await first(service, "young")
