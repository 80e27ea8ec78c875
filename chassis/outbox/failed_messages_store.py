"""Parked messages for operators: each look and each change in a transaction of its own."""

from collections.abc import Sequence

from chassis.database.database import Database
from chassis.outbox.failed_messages import Group, Parked, ParkedMessage


class StoredParked:
    """Implements the port of chassis/outbox/failed_messages_api.py."""

    def __init__(self, database: Database, parked: Parked) -> None:
        self._database = database
        self._parked = parked

    async def listed(self, queue: str | None, after: str, limit: int) -> Sequence[ParkedMessage]:
        """In the order of their ids."""
        async with self._database.read() as connection:
            return await self._parked.listed(connection, queue, limit, after)

    async def grouped(self, queue: str | None) -> Sequence[Group]:
        """The biggest group first."""
        async with self._database.read() as connection:
            return await self._parked.grouped(connection, queue)

    async def get(self, parked_id: str) -> ParkedMessage | None:
        """None: there is none."""
        async with self._database.read() as connection:
            return await self._parked.get(connection, parked_id)

    async def redrive(self, ids: Sequence[str]) -> int:
        """How many there were."""
        async with self._database.write() as connection:
            return await self._parked.redrive(connection, ids)

    async def discard(self, ids: Sequence[str]) -> int:
        """How many there were."""
        async with self._database.write() as connection:
            return await self._parked.discard(connection, ids)
