"""Addresses that bounce: after several hard bounces within a day nothing is sent there for a month."""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from extracted.mailer.domain import Suppression
from extracted.mailer.storage.tables import MailTables

BOUNCES: Final = 3
WITHIN: Final = timedelta(hours=24)
FOR: Final = timedelta(days=30)


class BouncedAddresses:
    """Each method works in the caller's transaction."""

    def __init__(self, tables: MailTables) -> None:
        self._tables = tables

    async def bounced(
        self, connection: AsyncConnection, recipient: str, mail_id: str, reason: str, now: datetime
    ) -> None:
        """Suppresses the address after too many bounces."""
        bounces = self._tables.bounces
        await connection.execute(insert(bounces), {"recipient": recipient, "mail_id": mail_id, "at": now})
        recent = select(func.count()).where(bounces.c.recipient == recipient, bounces.c.at > now - WITHIN)
        if (await connection.scalar(recent) or 0) >= BOUNCES:
            await self._suppress(connection, recipient, reason, now)

    async def _suppress(self, connection: AsyncConnection, recipient: str, reason: str, now: datetime) -> None:
        table = self._tables.suppressions
        row = {"recipient": recipient, "since": now, "until": now + FOR, "reason": reason}
        new = self._tables.own.insert(table).values(row)
        again = {name: new.excluded[name] for name in ("since", "until", "reason")}
        await connection.execute(new.on_conflict_do_update(index_elements=[table.c.recipient], set_=again))

    async def forget(self, connection: AsyncConnection, recipient: str) -> bool:
        """True: the address was suppressed."""
        bounces, suppressions = self._tables.bounces, self._tables.suppressions
        await connection.execute(delete(bounces).where(bounces.c.recipient == recipient))
        lifted = delete(suppressions).where(suppressions.c.recipient == recipient)
        return (await connection.execute(lifted)).rowcount > 0


class StoredSuppressions:
    """Implements Suppressions."""

    def __init__(self, database: Database, tables: MailTables, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._tables = tables
        self._clock = clock
        self._addresses = BouncedAddresses(tables)

    async def listed(self, after: str, limit: int) -> Sequence[Suppression]:
        """Leaves out those that are over."""
        table = self._tables.suppressions
        holds = table.c.recipient > after, table.c.until > self._clock()
        page = select(table).where(*holds).order_by(table.c.recipient).limit(limit)
        async with self._database.look() as connection:
            found = await connection.execute(page)
            return [Suppression(row.recipient, row.since, row.until, row.reason) for row in found]

    async def lift(self, recipient: str) -> bool:
        """The next mail to the address is sent."""
        async with self._database.write() as connection:
            return await self._addresses.forget(connection, recipient)
