"""What operators change: each is one conditional statement and a line in the history."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from extracted.mailer.domain import Mail, MailState
from extracted.mailer.ports import MailStateConflict
from extracted.mailer.storage import rows
from extracted.mailer.storage.tables import MailTables

CANCELLED: Final = (MailState.QUEUED, MailState.DEFERRED)
DECIDED: Final = (MailState.AMBIGUOUS,)
RETRIED: Final = (MailState.DEFERRED, MailState.FAILED, MailState.SUPPRESSED, MailState.CANCELLED)


class OperatorChanges:
    """The part of the port Mails that operators use."""

    def __init__(self, database: Database, tables: MailTables, clock: Callable[[], datetime]) -> None:
        self._database = database
        self._tables = tables
        self._clock = clock

    async def cancel(self, mail_id: str, by: str, why: str) -> Mail | None:
        """Refused while a sender has it."""
        changes = {"state": MailState.CANCELLED.value, "due_at": None}
        return await self._change(mail_id, CANCELLED, changes, by, why)

    async def retry(self, mail_id: str, by: str, why: str) -> Mail | None:
        """Queued as a fresh mail: it goes before retries."""
        return await self._change(mail_id, RETRIED, self._anew(), by, why)

    async def decide(self, mail_id: str, is_sent: bool, by: str, why: str) -> Mail | None:
        """Records what an operator has found out."""
        changes = {"state": MailState.SENT.value} if is_sent else self._anew()
        return await self._change(mail_id, DECIDED, changes, by, why)

    def _anew(self) -> dict[str, object]:
        now = self._clock()
        return {"state": MailState.QUEUED.value, "attempts": 0, "due_at": now, "queued_at": now}

    async def _change(
        self, mail_id: str, where: Sequence[MailState], changes: Mapping[str, object], by: str, why: str
    ) -> Mail | None:
        """Only in one of these states; a mail whose content was removed is not queued again."""
        mails, now = self._tables.mails, self._clock()
        in_state = mails.c.state.in_([state.value for state in where])
        change = update(mails).where(mails.c.id == mail_id, in_state).values(**changes, changed_at=now)
        async with self._database.write() as connection:
            row = (await connection.execute(change.returning(mails))).one_or_none()
            if row is None:
                await self._refuse(connection, mail_id, where)
                return None
            if row.due_at is not None and row.variables is None and row.content_id is None:
                raise MailStateConflict("the content of this mail was removed after its time: it cannot be sent again")
            line = rows.event_values(mail_id, now, MailState(row.state), why, by)
            await connection.execute(insert(self._tables.events), line)
        return rows.mail(row)

    async def _refuse(self, connection: AsyncConnection, mail_id: str, where: Sequence[MailState]) -> None:
        """Raises MailStateConflict where the mail exists."""
        row = await self._row(connection, mail_id)
        if row is not None:
            raise MailStateConflict(f"the mail is {row.state}; this can be done where it is {' or '.join(where)}")

    async def _row(self, connection: AsyncConnection, mail_id: str) -> Row[Any] | None:
        mails = self._tables.mails
        return (await connection.execute(select(mails).where(mails.c.id == mail_id))).one_or_none()
