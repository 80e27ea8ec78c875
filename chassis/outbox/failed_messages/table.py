"""Messages that could not be handled, with the reason: retried from here, or kept until a human has looked."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import ColumnElement, Select, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.own_tables import OwnTables
from chassis.outbox import tables as message_tables
from chassis.outbox.failed_messages.message import MAX_BODY, FailedMessage, FailedMessageGroup
from chassis.outbox.outbox import Clock

LONGEST_WAIT: Final = timedelta(minutes=10)
"""Until the next attempt, unless told otherwise."""
_MAX_PROPERTIES = 64 * 1024
_MAX_TEXT = 1000


class FailedMessages:
    """One per process; all take the caller's connection and are part of its transaction."""

    def __init__(self, tables: OwnTables, clock: Clock) -> None:
        self._tables = tables
        self._table = message_tables.failed_messages(tables)
        self._clock = clock

    async def record(
        self,
        connection: AsyncConnection,
        queue: str,
        properties: Mapping[str, object],
        body: bytes,
        reason: str,
        *,
        retry_after: timedelta | None = None,
    ) -> str:
        """Parks it; the same message in the same queue once more: one row, one attempt more. Returns the row's id.

        `retry_after` None: it waits for a human.
        """
        now, table = self._clock(), self._table
        row = _row(queue, properties, body) | {"reason": _text(reason), "last_at": now}
        row["next_attempt_at"] = None if retry_after is None else now + retry_after
        inserted = self._tables.insert(table).values(**row, first_at=now, attempts=1)
        again = {name: inserted.excluded[name] for name in ("reason", "last_at", "next_attempt_at")}
        counted = {"attempts": table.c.attempts + 1}
        await connection.execute(inserted.on_conflict_do_update(index_elements=[table.c.id], set_=again | counted))
        return str(row["id"])

    async def due(
        self,
        connection: AsyncConnection,
        queue: str,
        lease: timedelta,
        limit: int = 20,
        within: timedelta = LONGEST_WAIT,
    ) -> list[FailedMessage]:
        """Those to be tried again now; nobody else gets them within `lease`.

        What is due much later than `within` is so because the clock was put back.
        """
        table, now = self._table, self._clock()
        at, latest = table.c.next_attempt_at, now + 2 * max(within, lease)
        picked = (
            select(table.c.id)
            .where(table.c.queue == queue, or_(at <= now, at > latest))
            .order_by(table.c.next_attempt_at)
            .limit(limit)
            .with_for_update(skip_locked=True)  # left out on SQLite, where one writes at a time
            .cte("picked")
        )
        claimed = update(table).where(table.c.id.in_(select(picked.c.id))).values(next_attempt_at=now + lease)
        rows = await connection.execute(claimed.returning(table))
        return [FailedMessage(**row) for row in rows.mappings()]

    async def failed(
        self, connection: AsyncConnection, message: FailedMessage, reason: str, retry_after: timedelta | None
    ) -> None:
        """One attempt more; counts only while the lease of `due` is still this one."""
        now = self._clock()
        at = None if retry_after is None else now + retry_after
        values = {"reason": _text(reason), "attempts": message.attempts + 1, "next_attempt_at": at, "last_at": now}
        await connection.execute(update(self._table).where(*self._leased(message)).values(**values))

    async def handled(self, connection: AsyncConnection, message: FailedMessage) -> None:
        """Done: the row goes."""
        await connection.execute(delete(self._table).where(self._table.c.id == message.id))

    async def listed(
        self, connection: AsyncConnection, queue: str | None = None, limit: int = 100, after: str = ""
    ) -> list[FailedMessage]:
        """In the order of their ids, from the first after `after`."""
        page = self._select(queue).where(self._table.c.id > after).order_by(self._table.c.id).limit(limit)
        return [FailedMessage(**row) for row in (await connection.execute(page)).mappings()]

    async def grouped(self, connection: AsyncConnection, queue: str | None = None) -> list[FailedMessageGroup]:
        """How many there are of each kind, the biggest group first."""
        table = self._table
        kind = (table.c.queue, table.c.type, table.c.reason)
        numbers = (func.count(), func.min(table.c.first_at), func.max(table.c.last_at))
        counted = select(*kind, *numbers).group_by(*kind).order_by(func.count().desc())
        counted = counted if queue is None else counted.where(table.c.queue == queue)
        return [FailedMessageGroup(*row) for row in (await connection.execute(counted)).all()]

    async def get(self, connection: AsyncConnection, id: str) -> FailedMessage | None:
        """By the id of its row."""
        row = (await connection.execute(self._select(None).where(self._table.c.id == id))).mappings().one_or_none()
        return row and FailedMessage(**row)

    async def redrive(self, connection: AsyncConnection, ids: Sequence[str]) -> int:
        """Tries them again from now on, with all attempts; returns how many there were."""
        again = update(self._table).where(self._table.c.id.in_(ids))
        return (await connection.execute(again.values(attempts=0, next_attempt_at=self._clock()))).rowcount

    async def discard(self, connection: AsyncConnection, ids: Sequence[str]) -> int:
        """Forgets them; returns how many there were."""
        return (await connection.execute(delete(self._table).where(self._table.c.id.in_(ids)))).rowcount

    def _select(self, queue: str | None) -> Select[Any]:
        chosen = select(self._table)
        return chosen if queue is None else chosen.where(self._table.c.queue == queue)

    def _leased(self, message: FailedMessage) -> tuple[ColumnElement[bool], ...]:
        return self._table.c.id == message.id, self._table.c.next_attempt_at == message.next_attempt_at


def _row(queue: str, properties: Mapping[str, object], body: bytes) -> dict[str, object]:
    """The id is made of what was received: another message that bears the same message id is another row."""
    message_id = properties.get("id")
    kept = json.dumps(dict(properties), default=str, skipkeys=True)
    if len(kept) > _MAX_PROPERTIES:
        kept = json.dumps({name: _text(str(properties[name])) for name in ("id", "type") if name in properties})
    seen = b"\0".join((queue.encode(), str(message_id).encode(errors="replace"), body))
    return {
        "id": hashlib.sha256(seen).hexdigest()[:32],
        "queue": queue,
        "message_id": None if message_id is None else _text(str(message_id)),
        "type": None if properties.get("type") is None else _text(str(properties["type"])),
        "properties": kept,
        "body": body if len(body) <= MAX_BODY else None,
        "size": len(body),
    }


def _text(foreign: str) -> str:
    """As a database takes it: no NUL, no half of a pair; shortened."""
    return foreign[:_MAX_TEXT].replace("\0", "\ufffd").encode(errors="replace").decode()
