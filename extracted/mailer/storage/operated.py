"""What operators do to a mail, each a condition and a change in one statement, and a line in its history."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from extracted.mailer.domain import Mail, State
from extracted.mailer.ports import ContentGone
from extracted.mailer.storage import rows
from extracted.mailer.storage.tables import Tables

RETRIED: Final = (State.DEFERRED, State.FAILED, State.SUPPRESSED, State.CANCELLED)


class OperatedMails:
    """Half of the port Mails."""

    def __init__(self, database: Database, tables: Tables, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._tables = tables
        self._clock = clock

    async def cancel(self, mail_id: str, by: str, why: str) -> Mail | None:
        """Not while a sender has it."""
        changes = {"state": State.CANCELLED.value, "due_at": None}
        return await self._change(mail_id, (State.QUEUED, State.DEFERRED), changes, by, why)

    async def retry(self, mail_id: str, by: str, why: str) -> Mail | None:
        """At once, before the retries of others."""
        return await self._change(mail_id, RETRIED, self._anew(), by, why)

    async def decide(self, mail_id: str, is_sent: bool, by: str, why: str) -> Mail | None:
        """What a human has found out."""
        changes = {"state": State.SENT.value} if is_sent else self._anew()
        return await self._change(mail_id, (State.AMBIGUOUS,), changes, by, why)

    def _anew(self) -> dict[str, object]:
        now = self._clock()
        return {"state": State.QUEUED.value, "attempts": 0, "due_at": now, "queued_at": now}

    async def _change(
        self, mail_id: str, where: Sequence[State], changes: Mapping[str, object], by: str, why: str
    ) -> Mail | None:
        """Only where it is in one of the states; a mail without content is queued no more."""
        mails, now = self._tables.mails, self._clock()
        in_state = mails.c.state.in_([state.value for state in where])
        change = update(mails).where(mails.c.id == mail_id, in_state).values(**changes, changed_at=now)
        async with self._database.write() as connection:
            row = (await connection.execute(change.returning(mails))).one_or_none()
            if row is None:
                row = await self._row(connection, mail_id)
                return None if row is None else rows.mail(row)
            if row.due_at is not None and row.variables is None and row.content_id is None:
                raise ContentGone("the content of this mail was removed: it cannot be sent again")
            line = rows.event_values(mail_id, now, State(row.state), why, by)
            await connection.execute(insert(self._tables.events), line)
        return rows.mail(row)

    async def _row(self, connection: AsyncConnection, mail_id: str) -> Row[Any] | None:
        mails = self._tables.mails
        return (await connection.execute(select(mails).where(mails.c.id == mail_id))).one_or_none()
