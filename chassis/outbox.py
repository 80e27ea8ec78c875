"""Messages to be sent, written in the transaction that they tell of; `chassis/relay.py` brings them to the broker.

All take the caller's connection and are part of its transaction.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, delete, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import message_tables
from chassis.messaging.envelope import Envelope, encode_body, from_record, to_record
from chassis.own_tables import OwnTables

Clock = Callable[[], datetime]
"""The time now, in UTC."""
_COMMITTED_WITHIN_S = 60
"""A transaction that has put a message has ended by then."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """A claimed message."""

    message_id: str
    created_at: datetime
    properties: str
    body: str

    def envelope(self) -> Envelope:
        """As it was put. Raises MessageInvalid where somebody has changed the row."""
        return from_record(json.loads(self.properties), self.body.encode())


class Outbox:
    """One per process. A `destination` is an exchange and a type: what can be full or missing by itself."""

    def __init__(self, tables: OwnTables, clock: Clock) -> None:
        self._table = message_tables.outbox(tables)
        self._clock = clock
        self._put_at: dict[str, float] = {}
        self._wakers: list[Callable[[str], None]] = []

    async def put(self, connection: AsyncConnection, exchange: str, envelope: Envelope) -> None:
        """Sent after the commit, at least once, always under this message id. Raises MessageInvalid."""
        destination = f"{exchange} {envelope.type}"
        row = {
            "message_id": envelope.id,
            "destination": destination,
            "created_at": self._clock(),
            "properties": json.dumps(to_record(envelope)),
            "body": encode_body(envelope.body).decode(),
        }
        await connection.execute(self._table.insert(), row)
        self._put_at[destination] = time.monotonic()

    def wake(self) -> None:
        """After the commit: the relay of this process looks at once. Without it, it does at its next poll."""
        recent = time.monotonic() - _COMMITTED_WITHIN_S
        for destination in [name for name, at in self._put_at.items() if at > recent]:
            for waker in self._wakers:
                waker(destination)

    def on_wake(self, waker: Callable[[str], None]) -> None:
        """Called with each destination that may have something new."""
        self._wakers.append(waker)

    async def published_at(self, connection: AsyncConnection, message_id: str) -> datetime | None:
        """When the broker's confirm was noted; None: not yet, never put, or pruned since."""
        column = self._table.c.published_at
        at: datetime | None = await connection.scalar(select(column).where(self._table.c.message_id == message_id))
        return at

    async def oldest(self, connection: AsyncConnection) -> dict[str, timedelta]:
        """Destination → the age of its oldest unpublished message. Cheap, however many there are."""
        rows: Sequence[Any] = (await connection.execute(self._destinations())).all()
        now = self._clock()
        return {destination: max(now - since, timedelta(0)) for destination, since in rows}

    async def oldest_unpublished(self, connection: AsyncConnection, exchange: str | None = None) -> timedelta | None:
        """The age of the oldest unpublished message, to any exchange or to one; None: all are out."""
        ages = await self.oldest(connection)
        return max((age for name, age in ages.items() if exchange in (None, exchange_of(name))), default=None)

    async def unpublished(self, connection: AsyncConnection) -> dict[str, int]:
        """Destination → how many wait. Counts them one by one: for metrics."""
        table = self._table
        counted = select(table.c.destination, func.count()).where(table.c.published_at.is_(None))
        rows: Sequence[Any] = (await connection.execute(counted.group_by(table.c.destination))).all()
        return dict(map(tuple, rows))

    async def claim(
        self, connection: AsyncConnection, destination: str, claim: str, limit: int, lease: timedelta
    ) -> list[Waiting]:
        """The oldest that nobody has a lease on, in one statement; `claim` is new each time: it fences the lease."""
        table, now = self._table, self._clock()
        picked = (
            select(table.c.message_id)
            .where(table.c.destination == destination, table.c.published_at.is_(None), self._unleased(now, lease))
            .order_by(table.c.created_at)
            .limit(limit)
            .with_for_update(skip_locked=True)  # left out on SQLite, where one writes at a time
            .cte("picked")  # never run twice, whatever the planner thinks of the table's size
        )
        claimed = (
            update(table)
            .where(table.c.message_id.in_(select(picked.c.message_id)))
            .values(claim=claim, claimed_until=now + lease)
            .returning(table.c.message_id, table.c.created_at, table.c.properties, table.c.body)
        )
        rows: Sequence[Any] = (await connection.execute(claimed)).all()
        return sorted((Waiting(*row) for row in rows), key=lambda waiting: waiting.created_at)

    async def confirmed(self, connection: AsyncConnection, ids: Sequence[str]) -> None:
        """The broker has them: a fact, whoever has the lease by now. The first time stays."""
        table = self._table
        marked = update(table).where(table.c.message_id.in_(_padded(ids)), table.c.published_at.is_(None))
        await connection.execute(marked.values(published_at=self._clock(), claim=None, claimed_until=None))

    async def release(self, connection: AsyncConnection, ids: Sequence[str], claim: str) -> None:
        """The lease ends now, unless it is somebody else's."""
        table = self._table
        released = update(table).where(table.c.message_id.in_(_padded(ids)), table.c.claim == claim)
        await connection.execute(released.values(claim=None, claimed_until=None))

    async def prune(self, connection: AsyncConnection, keep: timedelta, limit: int = 1000) -> int:
        """Removes at most `limit` of what was published longer ago; returns how many."""
        table = self._table
        old = select(table.c.message_id).where(table.c.published_at < self._clock() - keep).limit(limit)
        return (await connection.execute(delete(table).where(table.c.message_id.in_(old)))).rowcount

    def _unleased(self, now: datetime, lease: timedelta) -> ColumnElement[bool]:
        """A lease that ends later than one taken now comes of a clock that has jumped: it holds nothing."""
        until = self._table.c.claimed_until
        return or_(until.is_(None), until <= now, until > now + lease)

    def _destinations(self) -> Select[tuple[str, datetime]]:
        """Each that has something to send, with the time of its oldest: from one to the next along the index."""
        table = self._table
        waiting = table.c.published_at.is_(None)
        walk = select(func.min(table.c.destination).label("destination")).where(waiting).cte("walk", recursive=True)
        after = select(func.min(table.c.destination)).where(waiting, table.c.destination > walk.c.destination)
        walk = walk.union_all(select(after.scalar_subquery()).where(walk.c.destination.is_not(None)))
        oldest = select(func.min(table.c.created_at)).where(waiting, table.c.destination == walk.c.destination)
        return select(walk.c.destination, oldest.scalar_subquery()).where(walk.c.destination.is_not(None))


def exchange_of(destination: str) -> str:
    """The exchange in it."""
    return destination.rpartition(" ")[0]


def _padded(ids: Sequence[str]) -> list[str]:
    """To the next power of two by repeating: a database prepares a statement per number of parameters."""
    size: int = 1 << (len(ids) - 1).bit_length()
    return [*ids, *[ids[-1]] * (size - len(ids))]
