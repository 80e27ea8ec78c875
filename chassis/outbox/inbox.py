"""Records which messages a consumer has handled. It only saves work: business keys make repeated messages safe.

Use it for a handler whose work is expensive and whose own rows do not show that it was done. All services so far
write a business key in the same transaction, so they do not need it (docs/decisions/business-keys-before-inbox.md).
"""

from datetime import timedelta

from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.own_tables import OwnTables
from chassis.outbox import tables as message_tables
from chassis.outbox.outbox import Clock


class Inbox:
    """Make one a process. All methods take the caller's connection and are part of its transaction.

    `OutboxRelay(…, also_prune=(inbox.prune,))` keeps it small.
    """

    def __init__(self, tables: OwnTables, clock: Clock) -> None:
        self._table = message_tables.inbox(tables)
        self._insert = tables.insert(self._table).on_conflict_do_nothing()
        self._clock = clock

    async def first(self, connection: AsyncConnection, consumer: str, message_id: str) -> bool:
        """False: handled before. On PostgreSQL it waits while another transaction handles the same message."""
        row = {"consumer": consumer, "message_id": message_id, "handled_at": self._clock()}
        return (await connection.execute(self._insert, row)).rowcount == 1

    async def prune(self, connection: AsyncConnection, keep: timedelta, limit: int = 1000) -> int:
        """Deletes at most `limit` records that are older than `keep`. Returns how many."""
        table = self._table
        old = select(table.c.consumer, table.c.message_id).where(table.c.handled_at < self._clock() - keep).limit(limit)
        key = tuple_(table.c.consumer, table.c.message_id)
        return (await connection.execute(delete(table).where(key.in_(old)))).rowcount
