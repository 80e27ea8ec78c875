"""The rows of mails, for senders: claimed in one statement, changed only with the claim."""

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from chassis.failpoints import reach
from extracted.mailer.domain import Claimed, MailState, Policy
from extracted.mailer.storage import rows, statements
from extracted.mailer.storage.suppressions import BouncedAddresses
from extracted.mailer.storage.tables import MailTables

EXPIRED_AT_ONCE: Final = 200
DIED: Final = "its sender died, or lost the database: the provider may have it"


class StoredDeliveryQueue:
    """Implements DeliveryQueue."""

    def __init__(self, database: Database, tables: MailTables, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._tables = tables
        self._clock = clock
        self._addresses = BouncedAddresses(tables)
        self._claim, self._settle = statements.claim(tables), statements.settle(tables)
        self._soonest = statements.soonest(tables)
        self._note = insert(tables.events).inline()
        self._sent = statements.sent(tables)

    async def claim(self, claim: str, lease_until: datetime) -> Claimed | None:
        """Ends mails to suppressed addresses on the way."""
        while True:
            now = self._clock()
            asked = {"of_now": now, "of_claim": claim, "of_lease": lease_until}
            async with self._alone() as connection:
                row = (await connection.execute(self._claim, asked)).one_or_none()
            if row is None:
                return None
            if row.state == MailState.SENDING.value:
                await reach("mailer.claimed")
                return rows.claimed(row)
            async with self._database.write() as connection:
                await self._record(connection, [rows.event_values(row.id, now, MailState.SUPPRESSED, row.reason)])

    def _alone(self) -> AbstractAsyncContextManager[AsyncConnection]:
        """For a single statement in autocommit: on PostgreSQL one round trip instead of three."""
        return self._database.write() if self._database.is_sqlite else self._database.look()

    async def sent(self, claimed: Claimed, response: str) -> bool:
        """Forgets the bounces of the address."""
        found = await self._sent_alone(claimed, rows.text(response))
        if found is not None and found.has_bounced:
            async with self._database.write() as connection:
                await self._addresses.forget(connection, claimed.recipient)
        return found is not None

    async def _sent_alone(self, claimed: Claimed, response: str) -> Row[Any] | None:
        """Every mail does this: on PostgreSQL it takes one round trip instead of four."""
        if self._database.is_sqlite:
            async with self._database.write() as connection:
                return await self._change(connection, claimed, MailState.SENT, response, of_response=response)
        asked = {"of_id": claimed.mail_id, "of_claim": claimed.claim, "of_now": self._clock(), "of_response": response}
        async with self._database.look() as connection:
            found: Row[Any] | None = (await connection.execute(self._sent, asked)).one_or_none()
        return found

    async def deferred(self, claimed: Claimed, reason: str, due_at: datetime) -> bool:
        """It is a retry from now on."""
        return await self._changed(claimed, MailState.DEFERRED, reason, of_due=due_at)

    async def returned(self, claimed: Claimed, reason: str, due_at: datetime) -> bool:
        return await self._changed(claimed, claimed.came_from, reason, of_due=due_at, of_undone=1)

    async def failed(self, claimed: Claimed, reason: str, is_bounce: bool) -> bool:
        """Records the bounce of its address in the same transaction."""
        text = rows.text(reason)
        async with self._database.write() as connection:
            found = await self._change(connection, claimed, MailState.FAILED, reason, of_reason=text)
            if found is not None and is_bounce:
                await self._addresses.bounced(connection, claimed.recipient, claimed.mail_id, text, self._clock())
        return found is not None

    async def ambiguous(self, claimed: Claimed, reason: str, due_at: datetime | None) -> bool:
        """The history says ambiguous in both cases."""
        state = MailState.AMBIGUOUS if due_at is None else MailState.DEFERRED
        noted = {"of_reason": rows.text(reason), "of_due": due_at, "of_more": 1, "of_state": state.value}
        async with self._database.write() as connection:
            return await self._change(connection, claimed, MailState.AMBIGUOUS, reason, **noted) is not None

    async def expire(self, now: datetime, due_at: datetime) -> int:
        """A bounded number at once. The history tells since when a sender had the mail."""
        row = self._tables.mails.c
        stale = select(row.id, row.policy, row.changed_at).where(row.lease_until < now).limit(EXPIRED_AT_ONCE)
        async with self._database.look() as connection:
            found = (await connection.execute(stale)).all()
        return await self._expired(found, now, due_at) if found else 0

    async def next_due(self) -> datetime | None:
        """Of fresh mails and retries, the sooner."""
        async with self._database.look() as connection:
            found = (await connection.execute(self._soonest)).one()
        return min((one for one in found if one is not None), default=None)

    async def _changed(self, claimed: Claimed, state: MailState, reason: str, **changes: object) -> bool:
        noted = {"of_reason": rows.text(reason)} | changes
        async with self._database.write() as connection:
            return await self._change(connection, claimed, state, reason, **noted) is not None

    async def _change(
        self, connection: AsyncConnection, claimed: Claimed, state: MailState, detail: str, **changes: object
    ) -> Row[Any] | None:
        """Also adds a line to the history. None: the claim was lost."""
        now = self._clock()
        of = {"of_id": claimed.mail_id, "of_claim": claimed.claim, "of_state": state.value, "of_now": now}
        found = (await connection.execute(self._settle, statements.UNCHANGED | of | changes)).one_or_none()
        if found is not None:
            await connection.execute(self._note, rows.event_values(claimed.mail_id, now, state, detail))
        return found

    async def _expired(self, stale: Sequence[Row[str, str, datetime]], now: datetime, due_at: datetime) -> int:
        again = {"state": MailState.DEFERRED.value, "due_at": due_at}
        waits = {"state": MailState.AMBIGUOUS.value}
        of = {policy: [row.id for row in stale if row.policy == policy.value] for policy in Policy}
        async with self._database.write() as connection:
            ids = await self._end(connection, of[Policy.AT_LEAST_ONCE], now, again)
            ids |= await self._end(connection, of[Policy.AT_MOST_ONCE], now, waits)
            details = {row.id: f"{DIED}; it had it since {row.changed_at.isoformat()}" for row in stale}
            events = [rows.event_values(id, now, MailState.AMBIGUOUS, details[id]) for id in sorted(ids)]
            await self._record(connection, events)
        return len(ids)

    async def _end(
        self, connection: AsyncConnection, ids: Sequence[str], now: datetime, changes: dict[str, Any]
    ) -> set[str]:
        """Checks the lease again, as another process may have ended it."""
        row = self._tables.mails.c
        values = {"claim": None, "lease_until": None, "changed_at": now, "reason": DIED} | changes
        values["ambiguities"] = row.ambiguities + 1
        change = update(self._tables.mails).where(row.id.in_(ids), row.lease_until < now).values(**values)
        return set(await connection.scalars(change.returning(row.id))) if ids else set()

    async def _record(self, connection: AsyncConnection, events: Sequence[dict[str, object]]) -> None:
        if events:
            await connection.execute(insert(self._tables.events), events)
