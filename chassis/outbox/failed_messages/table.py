"""Stores failed messages with the reason. They are retried from here, or wait for a human."""

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
"""The longest time until the next attempt, by default."""
_MAX_PROPERTIES = 64 * 1024
_MAX_TEXT = 1000


class FailedMessages:
    """Make one a process. All methods take the caller's connection and are part of its transaction."""

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
        """Stores a failed message and returns the id of its row. A repeated message only counts one more attempt.

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
        """Leases messages that are due, so nobody else gets them within `lease`.

        Also those that are due much later than `within`: a clock that was ahead stored them.
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
        """Counts one more failed attempt, unless the lease of `due` has ended and somebody else took the message."""
        now = self._clock()
        at = None if retry_after is None else now + retry_after
        values = {"reason": _text(reason), "attempts": message.attempts + 1, "next_attempt_at": at, "last_at": now}
        await connection.execute(update(self._table).where(*self._leased(message)).values(**values))

    async def handled(self, connection: AsyncConnection, message: FailedMessage) -> None:
        """Deletes a message that was handled."""
        await connection.execute(delete(self._table).where(self._table.c.id == message.id))

    async def listed(
        self, connection: AsyncConnection, queue: str | None = None, limit: int = 100, after: str = ""
    ) -> list[FailedMessage]:
        """In the order of ids, from the first after `after`."""
        page = self._select(queue).where(self._table.c.id > after).order_by(self._table.c.id).limit(limit)
        return [FailedMessage(**row) for row in (await connection.execute(page)).mappings()]

    async def grouped(self, connection: AsyncConnection, queue: str | None = None) -> list[FailedMessageGroup]:
        """How many there are of each queue, type and reason, the largest group first."""
        table = self._table
        kind = (table.c.queue, table.c.type, table.c.reason)
        numbers = (func.count(), func.min(table.c.first_at), func.max(table.c.last_at))
        counted = select(*kind, *numbers).group_by(*kind).order_by(func.count().desc())
        counted = counted if queue is None else counted.where(table.c.queue == queue)
        return [FailedMessageGroup(*row) for row in (await connection.execute(counted)).all()]

    async def get(self, connection: AsyncConnection, id: str) -> FailedMessage | None:
        """By the id of its row; None: there is none."""
        row = (await connection.execute(self._select(None).where(self._table.c.id == id))).mappings().one_or_none()
        return row and FailedMessage(**row)

    async def redrive(self, connection: AsyncConnection, ids: Sequence[str]) -> int:
        """Makes them due now, with all attempts. Returns how many exist."""
        again = update(self._table).where(self._table.c.id.in_(ids))
        return (await connection.execute(again.values(attempts=0, next_attempt_at=self._clock()))).rowcount

    async def discard(self, connection: AsyncConnection, ids: Sequence[str]) -> int:
        """Deletes them. Returns how many existed."""
        return (await connection.execute(delete(self._table).where(self._table.c.id.in_(ids)))).rowcount

    def _select(self, queue: str | None) -> Select[Any]:
        chosen = select(self._table)
        return chosen if queue is None else chosen.where(self._table.c.queue == queue)

    def _leased(self, message: FailedMessage) -> tuple[ColumnElement[bool], ...]:
        return self._table.c.id == message.id, self._table.c.next_attempt_at == message.next_attempt_at


def _row(queue: str, properties: Mapping[str, object], body: bytes) -> dict[str, object]:
    """The id is a digest of queue, message id and body, so another message with the same message id is another row."""
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
    """Text that a database accepts: without NUL and lone surrogates, shortened."""
    return foreign[:_MAX_TEXT].replace("\0", "\ufffd").encode(errors="replace").decode()
