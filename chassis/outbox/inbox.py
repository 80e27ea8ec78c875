"""Which messages a consumer has handled already: saves work; business keys carry the safety.

For a handler whose work is dear and whose own rows do not tell that it was done. Where a business key is written in
the same transaction anyway, as in all services so far, a row here decides nothing: leave it out
(docs/decisions/business-keys-before-inbox.md).
"""

from datetime import timedelta

from sqlalchemy import delete, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.own_tables import OwnTables
from chassis.outbox import tables as message_tables
from chassis.outbox.outbox import Clock


class Inbox:
    """One per process; all take the caller's connection and are part of its transaction.

    `Relay(…, also_prune=(inbox.prune,))` keeps it small.
    """

    def __init__(self, tables: OwnTables, clock: Clock) -> None:
        self._table = message_tables.inbox(tables)
        self._insert = tables.insert(self._table).on_conflict_do_nothing()
        self._clock = clock

    async def first(self, connection: AsyncConnection, consumer: str, message_id: str) -> bool:
        """False: handled before. While another transaction handles it, this one waits for its end (PostgreSQL)."""
        row = {"consumer": consumer, "message_id": message_id, "handled_at": self._clock()}
        return (await connection.execute(self._insert, row)).rowcount == 1

    async def prune(self, connection: AsyncConnection, keep: timedelta, limit: int = 1000) -> int:
        """Forgets at most `limit` of what was handled longer ago; returns how many."""
        table = self._table
        old = select(table.c.consumer, table.c.message_id).where(table.c.handled_at < self._clock() - keep).limit(limit)
        key = tuple_(table.c.consumer, table.c.message_id)
        return (await connection.execute(delete(table).where(key.in_(old)))).rowcount
