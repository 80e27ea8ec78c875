"""The rows of mails, for intake and API."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, Row, func, insert, literal_column, select, tuple_
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from extracted.mailer.domain import CheckedRequest, Mail, MailEvent, MailState, Raw
from extracted.mailer.ports import KeyUsed, MailFilter
from extracted.mailer.storage import rows
from extracted.mailer.storage.operator_changes import OperatorChanges
from extracted.mailer.storage.tables import MailTables

AT_ONCE: Final = 200
"""Rows per statement: databases take some 32,000 parameters."""


class StoredMails(OperatorChanges):
    """Implements the port Mails."""

    def __init__(self, database: Database, tables: MailTables, clock: Callable[[], datetime]) -> None:
        super().__init__(database, tables, clock)
        new = tables.own.insert(tables.mails).on_conflict_do_nothing(index_elements=[tables.mails.c.key])
        self._insert = new.returning(tables.mails)
        self._note = insert(tables.events)

    async def add(self, wanted: Sequence[CheckedRequest]) -> Sequence[Mail]:
        """All or none; for a known key the mail that is there."""
        found: dict[str, Mail] = {}
        async with self._database.write() as connection:
            for begin in range(0, len(wanted), AT_ONCE):
                found |= await self._added(connection, wanted[begin : begin + AT_ONCE])
        return [found[one.key] for one in wanted]

    async def _added(self, connection: AsyncConnection, wanted: Sequence[CheckedRequest]) -> dict[str, Mail]:
        now, contents = self._clock(), _contents(wanted)
        new = [rows.values(one, str(uuid.uuid4()), contents.get(_raw(one)), now) for one in wanted]
        added = (await connection.execute(self._insert, new)).all()
        if added:
            queued = [rows.event_values(row.id, now, MailState.QUEUED, "asked for") for row in added]
            await connection.execute(self._note, queued)
        await self._keep(connection, contents, {row.content_id for row in added})
        return await self._checked(connection, wanted, {row.key: row for row in added})

    async def _keep(self, connection: AsyncConnection, contents: Mapping[bytes | None, str], used: set[str]) -> None:
        kept = [{"id": id, "content": content} for content, id in contents.items() if id in used]
        if kept:
            await connection.execute(insert(self._tables.contents), kept)

    async def _checked(
        self, connection: AsyncConnection, wanted: Sequence[CheckedRequest], known: dict[str, Row[Any]]
    ) -> dict[str, Mail]:
        """Compares mails that were there before with what is wanted. `known`: the new ones."""
        mails, others = self._tables.mails, [one.key for one in wanted if one.key not in known]
        if others:
            there = await connection.execute(select(mails).where(mails.c.key.in_(others)))
            known |= {row.key: row for row in there}
        for one in wanted:
            if known[one.key].digest != rows.digest(one):
                raise KeyUsed("the key belongs to a request for another mail")
        return {key: rows.mail(row) for key, row in known.items()}

    async def find(self, mail_id: str) -> tuple[Mail, Sequence[MailEvent]] | None:
        """Reads mail and history from one snapshot."""
        events = self._tables.events
        async with self._database.read() as connection:
            row = await self._row(connection, mail_id)
            history = select(events).where(events.c.mail_id == mail_id).order_by(events.c.id)
            lines = (await connection.execute(history)).all() if row is not None else ()
        return None if row is None else (rows.mail(row), [rows.event(line) for line in lines])

    async def select(self, selection: MailFilter) -> Sequence[Mail]:
        """The newest first."""
        row = self._tables.mails.c
        found = select(self._tables.mails).where(*_conditions(self._tables, selection))
        page = found.order_by(row.created_at.desc(), row.id.desc()).limit(selection.limit)
        async with self._database.look() as connection:
            return [rows.mail(one) for one in await connection.execute(page)]

    async def counted(self) -> Mapping[MailState, int]:
        """Reads an index alone."""
        state = self._tables.mails.c.state
        async with self._database.look() as connection:
            found = {row[0]: row[1] for row in await connection.execute(select(state, func.count()).group_by(state))}
        return {one: found.get(one.value, 0) for one in MailState}

    async def oldest_due(self) -> datetime | None:
        """A fresh mail has waited since it was queued, also while no provider answered; a retry since it is due."""
        row, now = self._tables.mails.c, self._clock()
        waits = row.due_at.is_not(None)
        fresh = select(func.min(row.queued_at)).where(waits, row.attempts == literal_column("0")).scalar_subquery()
        again = select(func.min(row.due_at)).where(waits, row.attempts > literal_column("0")).scalar_subquery()
        async with self._database.look() as connection:
            found = (await connection.execute(select(fresh, again))).one()
        return min((one for one in found if one is not None and one <= now), default=None)


def _raw(wanted: CheckedRequest) -> bytes | None:
    return wanted.content.content if isinstance(wanted.content, Raw) else None


def _contents(wanted: Sequence[CheckedRequest]) -> dict[bytes | None, str]:
    """Content → a new id, once for each content."""
    return {content: str(uuid.uuid4()) for content in map(_raw, wanted) if content is not None}


def _conditions(tables: MailTables, selection: MailFilter) -> list[ColumnElement[bool]]:
    row = tables.mails.c
    found: list[ColumnElement[bool]] = []
    if selection.states is not None:
        found.append(row.state.in_([state.value for state in selection.states]))
    if selection.kind is not None:
        found.append(row.kind == selection.kind)
    if selection.recipient is not None:
        found.append(row.recipient == selection.recipient)
    if selection.after is not None:
        last = select(row.created_at, row.id).where(row.id == selection.after)
        found.append(tuple_(row.created_at, row.id) < last.scalar_subquery())
    return found
