"""Removes old contents, which hold secrets and names; much later whole rows; old bounces."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy import Select, delete, exists, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from extracted.mailer.domain import MailState
from extracted.mailer.storage.suppressions import FOR
from extracted.mailer.storage.tables import MailTables

AT_REST: Final = (MailState.SENT, MailState.FAILED, MailState.AMBIGUOUS, MailState.SUPPRESSED, MailState.CANCELLED)
ROWS_TIMES: Final = 12
"""Rows are kept so many times longer than contents, for repeated keys and for the history."""
AT_ONCE: Final = 500


class StoredRetention:
    """Implements Retention."""

    def __init__(self, database: Database, tables: MailTables, clock: Callable[[], datetime], keep: timedelta) -> None:
        self._database = database
        self._tables = tables
        self._clock = clock
        self._keep = keep

    async def forget(self) -> int:
        """Changes a bounded number in one transaction."""
        now = self._clock()
        async with self._database.write() as connection:
            emptied = await self._empty(connection, now - self._keep)
            removed = await self._remove(connection, now - ROWS_TIMES * self._keep)
            await self._drop_contents(connection)
            await self._drop_addresses(connection, now)
        return emptied + removed

    async def _empty(self, connection: AsyncConnection, before: datetime) -> int:
        row = self._tables.mails.c
        full = or_(row.variables.is_not(None), row.content_id.is_not(None))
        old = await self._old(connection, before, full)
        emptied = update(self._tables.mails).where(row.id.in_(old)).values(variables=None, content_id=None)
        await connection.execute(emptied)
        return len(old)

    async def _remove(self, connection: AsyncConnection, before: datetime) -> int:
        events = self._tables.events
        old = await self._old(connection, before)
        await connection.execute(delete(events).where(events.c.mail_id.in_(old)))
        await connection.execute(delete(self._tables.mails).where(self._tables.mails.c.id.in_(old)))
        return len(old)

    async def _old(self, connection: AsyncConnection, before: datetime, *further: Any) -> Sequence[str]:
        """Locks them, so that no operator queues one meanwhile."""
        row = self._tables.mails.c
        at_rest = row.state.in_([state.value for state in AT_REST]), row.changed_at < before, row.created_at < before
        found: Select[Any] = select(row.id).where(*at_rest, *further).order_by(row.created_at).limit(AT_ONCE)
        return (await connection.scalars(found.with_for_update(skip_locked=True))).all()

    async def _drop_contents(self, connection: AsyncConnection) -> None:
        """Removes contents that no mail refers to."""
        contents, mails = self._tables.contents, self._tables.mails
        used = exists(select(mails.c.id).where(mails.c.content_id == contents.c.id))
        await connection.execute(delete(contents).where(~used))

    async def _drop_addresses(self, connection: AsyncConnection, now: datetime) -> None:
        bounces, suppressions = self._tables.bounces, self._tables.suppressions
        await connection.execute(delete(bounces).where(bounces.c.at < now - FOR))
        await connection.execute(delete(suppressions).where(suppressions.c.until < now))
