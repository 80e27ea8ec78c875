"""Messages to be sent, written in the transaction that they tell of; `relay.py` brings them to the broker.

All take the caller's connection and are part of its transaction.
"""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.database.prepared import Connection, Prepared
from chassis.messaging.envelope import Envelope, encode_body, from_record, to_record
from chassis.outbox import statements
from chassis.outbox import tables as message_tables

Clock = Callable[[], datetime]
"""The time now, in UTC."""
PUT: Final = ("message_id", "destination", "created_at", "properties", "body")
_COMMITTED_WITHIN_S = 60
"""A transaction that has put a message has ended by then."""


@dataclass(frozen=True, slots=True)
class OutboxMessage:
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
        self.table = table = message_tables.outbox(tables)
        among = statements.one_of_list(table) if tables.is_sqlite else statements.one_of_array(table)
        self._ids = _padded if tables.is_sqlite else list
        self._put, self._claim = Prepared(statements.put(table), *PUT), Prepared(statements.claim(table))
        self._confirm = Prepared(statements.confirm(table, among))
        self._release = Prepared(statements.release(table, among))
        self._turn = None if tables.is_sqlite else Prepared(statements.turn(table))
        self._oldest, self._unpublished = Prepared(statements.oldest(table)), Prepared(statements.unpublished(table))
        self._published_at, self._prune = Prepared(statements.published_at(table)), statements.prune(table)
        self._clock = clock
        self._put_at: dict[str, float] = {}
        self._wakers: list[Callable[[str], None]] = []

    async def put(self, connection: Connection, exchange: str, envelope: Envelope) -> None:
        """Sent after the commit, at least once, always under this message id. Raises MessageInvalid."""
        await self._put.on(connection, self.row(exchange, envelope))

    def row(self, exchange: str, envelope: Envelope) -> dict[str, object]:
        """Of `table`, for a statement that writes more than it (columns: PUT). Raises MessageInvalid."""
        destination = f"{exchange} {envelope.type}"
        row = {
            "message_id": envelope.id,
            "destination": destination,
            "created_at": self._clock(),
            "properties": json.dumps(to_record(envelope)),
            "body": encode_body(envelope.body).decode(),
        }
        self._put_at[destination] = time.monotonic()
        return row

    def wake(self) -> None:
        """After the commit: the relay of this process looks at once. Without it, it does at its next poll."""
        recent = time.monotonic() - _COMMITTED_WITHIN_S
        for destination in [name for name, at in self._put_at.items() if at > recent]:
            for waker in self._wakers:
                waker(destination)

    def on_wake(self, waker: Callable[[str], None]) -> None:
        """Called with each destination that may have something new."""
        self._wakers.append(waker)

    async def published_at(self, connection: Connection, message_id: str) -> datetime | None:
        """When the broker's confirm was noted; None: not yet, never put, or pruned since."""
        found = await self._published_at.on(connection, {"id": message_id})
        return found[0].published_at if found else None

    async def oldest(self, connection: Connection) -> dict[str, timedelta]:
        """Destination → the age of its oldest unpublished message. Cheap, however many there are."""
        rows = await self._oldest.on(connection, {})
        now = self._clock()
        return {destination: max(now - since, timedelta(0)) for destination, since in rows}

    async def oldest_unpublished(self, connection: Connection, exchange: str | None = None) -> timedelta | None:
        """The age of the oldest unpublished message, to any exchange or to one; None: all are out."""
        ages = await self.oldest(connection)
        return max((age for name, age in ages.items() if exchange in (None, exchange_of(name))), default=None)

    async def unpublished(self, connection: Connection) -> dict[str, int]:
        """Destination → how many wait. Counts them one by one: for metrics."""
        return dict(map(tuple, await self._unpublished.on(connection, {})))

    async def claim(
        self, connection: Connection, destination: str, claim: str, limit: int, lease: timedelta
    ) -> list[OutboxMessage]:
        """The oldest that nobody has a lease on, in one statement; `claim` is new each time: it fences the lease."""
        return _waiting(await self._claim.on(connection, self._claiming(destination, claim, limit, lease)))

    async def confirmed(self, connection: Connection, ids: Sequence[str]) -> None:
        """The broker has them: a fact, whoever has the lease by now. The first time stays."""
        await self._confirm.on(connection, self._confirming(ids))

    async def turn(
        self, database: Database, confirmed: Sequence[str], destination: str, claim: str, limit: int, lease: timedelta
    ) -> list[OutboxMessage]:
        """`confirmed` (if any), and `claim` (unless `limit` is 0), as one transaction; on PostgreSQL one statement."""
        claiming = self._claiming(destination, claim, limit, lease)
        if self._turn is not None and confirmed and limit:
            return _waiting(await database.once(self._turn, claiming | self._confirming(confirmed)))
        if not confirmed:
            return _waiting(await database.once(self._claim, claiming))
        async with database.work() as connection:
            await self.confirmed(connection, confirmed)
            return await self.claim(connection, destination, claim, limit, lease) if limit else []

    async def release(self, connection: Connection, ids: Sequence[str], claim: str) -> None:
        """The lease ends now, unless it is somebody else's."""
        await self._release.on(connection, {"ids": self._ids(ids), "token": claim})

    def _claiming(self, destination: str, claim: str, limit: int, lease: timedelta) -> dict[str, object]:
        """Who is let in first may have looked at the clock last: such a lease ends a little later than ours."""
        now = self._clock()
        times = {"now": now, "lease_end": now + lease, "latest": now + 2 * lease}
        return {"to": destination, "token": claim, "at_most": limit, **times}

    def _confirming(self, ids: Sequence[str]) -> dict[str, object]:
        return {"ids": self._ids(ids), "at": self._clock()}

    async def prune(self, connection: AsyncConnection, keep: timedelta, limit: int = 1000) -> int:
        """Removes at most `limit` of what was published longer ago; returns how many."""
        return (await connection.execute(self._prune, {"before": self._clock() - keep, "at_most": limit})).rowcount


def exchange_of(destination: str) -> str:
    """The exchange in it."""
    return destination.rpartition(" ")[0]


def _waiting(rows: Sequence[Any]) -> list[OutboxMessage]:
    return sorted((OutboxMessage(*row) for row in rows), key=lambda waiting: waiting.created_at)


def _padded(ids: Sequence[str]) -> list[str]:
    """To the next power of two by repeating: a database prepares a statement per number of parameters."""
    size: int = 1 << (len(ids) - 1).bit_length()
    return [*ids, *[ids[-1]] * (size - len(ids))]
