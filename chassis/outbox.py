"""Messages to be sent, written in the transaction that they tell of; `chassis/relay.py` brings them to the broker.

All take the caller's connection and are part of its transaction.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import message_tables
from chassis import outbox_statements as statements
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
        table = message_tables.outbox(tables)
        self._put, self._claim = statements.put(table), statements.claim(table)
        self._confirm, self._release = statements.confirm(table), statements.release(table)
        self._oldest, self._unpublished = statements.oldest(table), statements.unpublished(table)
        self._published_at, self._prune = statements.published_at(table), statements.prune(table)
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
        await connection.execute(self._put, row)
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
        at: datetime | None = await connection.scalar(self._published_at, {"id": message_id})
        return at

    async def oldest(self, connection: AsyncConnection) -> dict[str, timedelta]:
        """Destination → the age of its oldest unpublished message. Cheap, however many there are."""
        rows: Sequence[Any] = (await connection.execute(self._oldest)).all()
        now = self._clock()
        return {destination: max(now - since, timedelta(0)) for destination, since in rows}

    async def oldest_unpublished(self, connection: AsyncConnection, exchange: str | None = None) -> timedelta | None:
        """The age of the oldest unpublished message, to any exchange or to one; None: all are out."""
        ages = await self.oldest(connection)
        return max((age for name, age in ages.items() if exchange in (None, exchange_of(name))), default=None)

    async def unpublished(self, connection: AsyncConnection) -> dict[str, int]:
        """Destination → how many wait. Counts them one by one: for metrics."""
        rows: Sequence[Any] = (await connection.execute(self._unpublished)).all()
        return dict(map(tuple, rows))

    async def claim(
        self, connection: AsyncConnection, destination: str, claim: str, limit: int, lease: timedelta
    ) -> list[Waiting]:
        """The oldest that nobody has a lease on, in one statement; `claim` is new each time: it fences the lease."""
        now = self._clock()
        values = {"to": destination, "token": claim, "at_most": limit, "now": now, "lease_end": now + lease}
        rows: Sequence[Any] = (await connection.execute(self._claim, values)).all()
        return sorted((Waiting(*row) for row in rows), key=lambda waiting: waiting.created_at)

    async def confirmed(self, connection: AsyncConnection, ids: Sequence[str]) -> None:
        """The broker has them: a fact, whoever has the lease by now. The first time stays."""
        await connection.execute(self._confirm, {"ids": _padded(ids), "at": self._clock()})

    async def release(self, connection: AsyncConnection, ids: Sequence[str], claim: str) -> None:
        """The lease ends now, unless it is somebody else's."""
        await connection.execute(self._release, {"ids": _padded(ids), "token": claim})

    async def prune(self, connection: AsyncConnection, keep: timedelta, limit: int = 1000) -> int:
        """Removes at most `limit` of what was published longer ago; returns how many."""
        return (await connection.execute(self._prune, {"before": self._clock() - keep, "at_most": limit})).rowcount


def exchange_of(destination: str) -> str:
    """The exchange in it."""
    return destination.rpartition(" ")[0]


def _padded(ids: Sequence[str]) -> list[str]:
    """To the next power of two by repeating: a database prepares a statement per number of parameters."""
    size: int = 1 << (len(ids) - 1).bit_length()
    return [*ids, *[ids[-1]] * (size - len(ids))]
