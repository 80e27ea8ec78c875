"""Sessions in Account's own tables, and the rows of the monolith's tokens beside them, in one transaction."""

import uuid
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final, Protocol

from sqlalchemy import ColumnElement, Table, case, delete, exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from extracted.account.sessions.domain import ExchangedCredential, SessionToken, Subject
from extracted.account.sessions.storage.tables import SessionTables

KEPT: Final = timedelta(days=400)
"""How long an ended session is remembered: longer than the identity server's longest session."""
MOST_AT_ONCE: Final = 1000
"""How many rows one transaction forgets."""
_ROWS: Final = uuid.UUID("9a1c4b1e-6f5d-4d0b-8a53-5d7d54a7a6e2")


class MonolithTokens(Protocol):
    """The monolith's access tokens and their rows, in the same database."""

    def signed(self, subject_id: str, user_id: str, at: datetime) -> str:
        """The token that the monolith makes at that time: always the same."""
        ...

    async def add(
        self, connection: AsyncConnection, row_id: str, token: str, subject_id: str, at: datetime, expires_at: datetime
    ) -> None:
        """The row that makes the token valid."""
        ...

    async def remove(self, connection: AsyncConnection, row_ids: Sequence[str]) -> None:
        """From then on the monolith refuses these tokens."""
        ...


class SqlSessions:
    """Implements the port SessionStore. Exchange and end of one session wait for each other, by the session's row."""

    def __init__(
        self, database: Database, tables: SessionTables, monolith: MonolithTokens, clock: Callable[[], datetime]
    ) -> None:
        self._database, self._monolith, self._clock = database, monolith, clock
        self._own, self._sessions, self._credentials = tables.own, tables.sessions, tables.credentials

    async def has_ended(self, session_id: str) -> bool:
        """One look by the primary key."""
        row = self._sessions.c
        async with self._database.look() as connection:
            return bool(
                await connection.scalar(select(exists().where(row.id == session_id, row.ended_at.is_not(None))))
            )

    async def end(self, token: SessionToken) -> None:
        """The row stays, so that no later exchange opens the session again."""
        now, row = self._clock(), self._sessions.c
        insert = self._own.insert(self._sessions).values(_session(token, now + KEPT) | {"ended_at": now})
        ended = {"ended_at": func.coalesce(row.ended_at, insert.excluded.ended_at)}
        later = {"expires_at": _later(row.expires_at, insert.excluded.expires_at)}
        async with self._database.write() as connection:
            await connection.execute(insert.on_conflict_do_update(index_elements=[row.id], set_=ended | later))
            await self._remove(connection, self._credentials.c.session_id == token.session_id)

    async def exchange(self, token: SessionToken, subject: Subject) -> ExchangedCredential | None:
        """The monolith's token is a function of user and time, so it is not stored here."""
        credential = self._monolith.signed(subject.subject_id, subject.user_id, token.issued_at)
        async with self._database.write() as connection:
            if await self._locked(connection, token):
                return None
            row_id = str(uuid.uuid5(_ROWS, token.digest))
            if await self._noted(connection, token, row_id):
                at = self._clock()
                await self._monolith.add(connection, row_id, credential, subject.subject_id, at, token.expires_at)
        return ExchangedCredential(credential, token.expires_at)

    async def forget(self) -> int:
        """Removes what has expired, the monolith's rows first; returns how many rows it removed here."""
        now = self._clock()
        async with self._database.write() as connection:
            removed = await self._remove(connection, _oldest(self._credentials, self._credentials.c.digest, now))
            sessions = delete(self._sessions).where(_oldest(self._sessions, self._sessions.c.id, now))
            return removed + (await connection.execute(sessions)).rowcount

    async def _locked(self, connection: AsyncConnection, token: SessionToken) -> bool:
        """Locks the session's row; True: the session has ended."""
        row, insert = self._sessions.c, self._own.insert(self._sessions).values(_session(token, token.expires_at))
        later = {"expires_at": _later(row.expires_at, insert.excluded.expires_at)}
        upsert = insert.on_conflict_do_update(index_elements=[row.id], set_=later).returning(row.ended_at)
        return await connection.scalar(upsert) is not None

    async def _noted(self, connection: AsyncConnection, token: SessionToken, row_id: str) -> bool:
        """False: this token was exchanged before."""
        noted = {"digest": token.digest, "session_id": token.session_id, "row_id": row_id}
        insert = self._own.insert(self._credentials).values(noted | {"expires_at": token.expires_at})
        return (await connection.execute(insert.on_conflict_do_nothing())).rowcount > 0

    async def _remove(self, connection: AsyncConnection, which: ColumnElement[bool]) -> int:
        gone = delete(self._credentials).where(which).returning(self._credentials.c.row_id)
        row_ids = [*await connection.scalars(gone)]
        if row_ids:
            await self._monolith.remove(connection, row_ids)
        return len(row_ids)


def _session(token: SessionToken, expires_at: datetime) -> dict[str, object]:
    return {"id": token.session_id, "user_id": token.user_id, "expires_at": expires_at}


def _later(one: ColumnElement[datetime], other: ColumnElement[datetime]) -> ColumnElement[datetime]:
    return case((one < other, other), else_=one)


def _oldest(table: Table, key: ColumnElement[str], now: datetime) -> ColumnElement[bool]:
    """Some of the rows that have expired."""
    return key.in_(select(key).where(table.c.expires_at < now).limit(MOST_AT_ONCE))
