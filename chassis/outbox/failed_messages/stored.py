"""What operators do with failed messages, each call in a transaction of its own."""

from collections.abc import Sequence

from chassis.database.database import Database
from chassis.outbox.failed_messages.message import FailedMessage, FailedMessageGroup
from chassis.outbox.failed_messages.table import FailedMessages


class StoredFailedMessages:
    """Implements the port FailedMessageOperations of chassis/service/failed_messages_api.py."""

    def __init__(self, database: Database, failed_messages: FailedMessages) -> None:
        self._database = database
        self._failed_messages = failed_messages

    async def listed(self, queue: str | None, after: str, limit: int) -> Sequence[FailedMessage]:
        """In the order of ids."""
        async with self._database.read() as connection:
            return await self._failed_messages.listed(connection, queue, limit, after)

    async def grouped(self, queue: str | None) -> Sequence[FailedMessageGroup]:
        """The largest group first."""
        async with self._database.read() as connection:
            return await self._failed_messages.grouped(connection, queue)

    async def get(self, message_id: str) -> FailedMessage | None:
        """None: there is no such message."""
        async with self._database.read() as connection:
            return await self._failed_messages.get(connection, message_id)

    async def redrive(self, ids: Sequence[str]) -> int:
        """Returns how many there were."""
        async with self._database.write() as connection:
            return await self._failed_messages.redrive(connection, ids)

    async def discard(self, ids: Sequence[str]) -> int:
        """Returns how many there were."""
        async with self._database.write() as connection:
            return await self._failed_messages.discard(connection, ids)
