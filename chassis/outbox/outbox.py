"""Stores messages in the transaction that they report. The relay (`relay.py`) publishes them after the commit."""

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.database.prepared import AnyConnection, PreparedStatement
from chassis.messaging.envelope import Envelope, encode_body, from_record, to_record
from chassis.outbox import statements
from chassis.outbox import tables as message_tables
from chassis.tracing import spans

Clock = Callable[[], datetime]
"""Returns the time in UTC."""
PUT: Final = ("message_id", "destination", "created_at", "properties", "body")
_COMMITTED_WITHIN_S = 60
"""The longest time from `put` to the commit of its transaction."""


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """A message that a relay has claimed."""

    message_id: str
    created_at: datetime
    properties: str
    body: str

    def envelope(self) -> Envelope:
        """The message as it was put. Raises MessageInvalid if somebody has changed the row."""
        return from_record(json.loads(self.properties), self.body.encode())


class Outbox:
    """Make one a process. All methods that take a connection are part of its transaction.

    A destination is an exchange and a type, because one can be full or missing while others work.
    """

    def __init__(self, tables: OwnTables, clock: Clock) -> None:
        self.table = table = message_tables.outbox(tables)
        among = statements.one_of_list(table) if tables.is_sqlite else statements.one_of_array(table)
        self._ids = _padded if tables.is_sqlite else list
        self._put, self._claim = (
            PreparedStatement(statements.put(table), *PUT),
            PreparedStatement(statements.claim(table)),
        )
        self._confirm = PreparedStatement(statements.confirm(table, among))
        self._release = PreparedStatement(statements.release(table, among))
        self._turn = None if tables.is_sqlite else PreparedStatement(statements.turn(table))
        self._oldest, self._unpublished = (
            PreparedStatement(statements.oldest(table)),
            PreparedStatement(statements.unpublished(table)),
        )
        self._published_at, self._prune = PreparedStatement(statements.published_at(table)), statements.prune(table)
        self._clock = clock
        self._put_at: dict[str, float] = {}
        self._wakers: list[Callable[[str], None]] = []

    async def put(self, connection: AnyConnection, exchange: str, envelope: Envelope) -> None:
        """Stores a message. It is sent after the commit, at least once, with this message id. Raises MessageInvalid."""
        await self._put.on(connection, self.row(exchange, envelope))

    def row(self, exchange: str, envelope: Envelope) -> dict[str, object]:
        """The row (columns PUT) for a statement that writes into several tables. Raises MessageInvalid."""
        destination = f"{exchange} {envelope.type}"
        if envelope.traceparent is None and (trace := spans.passed_on()) is not None:
            envelope = replace(envelope, traceparent=trace)
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
        """Call it after the commit: this process's relay then sends at once instead of at its next poll."""
        recent = time.monotonic() - _COMMITTED_WITHIN_S
        for destination in [name for name, at in self._put_at.items() if at > recent]:
            for waker in self._wakers:
                waker(destination)

    def on_wake(self, waker: Callable[[str], None]) -> None:
        """Registers a function to call with each destination that may have new messages."""
        self._wakers.append(waker)

    async def published_at(self, connection: AnyConnection, message_id: str) -> datetime | None:
        """When the broker confirmed it. None: not yet, never put, or deleted since."""
        found = await self._published_at.on(connection, {"id": message_id})
        return found[0].published_at if found else None

    async def oldest(self, connection: AnyConnection) -> dict[str, timedelta]:
        """Destination → the age of its oldest unpublished message. Fast, however many there are."""
        rows = await self._oldest.on(connection, {})
        now = self._clock()
        return {destination: max(now - since, timedelta(0)) for destination, since in rows}

    async def oldest_unpublished(self, connection: AnyConnection, exchange: str | None = None) -> timedelta | None:
        """The age of the oldest unpublished message, to any exchange or to one. None: there is none."""
        ages = await self.oldest(connection)
        return max((age for name, age in ages.items() if exchange in (None, exchange_of(name))), default=None)

    async def unpublished(self, connection: AnyConnection) -> dict[str, int]:
        """Destination → how many wait. Slow, since it counts rows; meant for metrics."""
        return dict(map(tuple, await self._unpublished.on(connection, {})))

    async def claim(
        self, connection: AnyConnection, destination: str, claim: str, limit: int, lease: timedelta
    ) -> list[OutboxMessage]:
        """Leases the oldest free messages, in one statement. `claim` must be new each time: it fences the lease."""
        return _waiting(await self._claim.on(connection, self._claiming(destination, claim, limit, lease)))

    async def confirmed(self, connection: AnyConnection, ids: Sequence[str]) -> None:
        """Marks messages that the broker has, whoever holds the lease now. The first time of confirmation stays."""
        await self._confirm.on(connection, self._confirming(ids))

    async def turn(
        self, database: Database, confirmed: Sequence[str], destination: str, claim: str, limit: int, lease: timedelta
    ) -> list[OutboxMessage]:
        """`confirmed` (if any) and `claim` (unless `limit` is 0) in one transaction; on PostgreSQL in one statement."""
        claiming = self._claiming(destination, claim, limit, lease)
        if self._turn is not None and confirmed and limit:
            return _waiting(await database.execute(self._turn, claiming | self._confirming(confirmed)))
        if not confirmed:
            return _waiting(await database.execute(self._claim, claiming))
        async with database.prepared_write() as connection:
            await self.confirmed(connection, confirmed)
            return await self.claim(connection, destination, claim, limit, lease) if limit else []

    async def release(self, connection: AnyConnection, ids: Sequence[str], claim: str) -> None:
        """Ends the lease of these messages, unless somebody else holds it."""
        await self._release.on(connection, {"ids": self._ids(ids), "token": claim})

    def _claiming(self, destination: str, claim: str, limit: int, lease: timedelta) -> dict[str, object]:
        """`latest` allows for transactions that read the clock after this one but ran before it."""
        now = self._clock()
        times = {"now": now, "lease_end": now + lease, "latest": now + 2 * lease}
        return {"to": destination, "token": claim, "at_most": limit, **times}

    def _confirming(self, ids: Sequence[str]) -> dict[str, object]:
        return {"ids": self._ids(ids), "at": self._clock()}

    async def prune(self, connection: AsyncConnection, keep: timedelta, limit: int = 1000) -> int:
        """Deletes at most `limit` messages that were published longer ago than `keep`. Returns how many."""
        return (await connection.execute(self._prune, {"before": self._clock() - keep, "at_most": limit})).rowcount


def exchange_of(destination: str) -> str:
    """The exchange of a destination."""
    return destination.rpartition(" ")[0]


def _waiting(rows: Sequence[Any]) -> list[OutboxMessage]:
    return sorted((OutboxMessage(*row) for row in rows), key=lambda waiting: waiting.created_at)


def _padded(ids: Sequence[str]) -> list[str]:
    """Repeats the last id up to the next power of two: each number of parameters is one more prepared statement."""
    size: int = 1 << (len(ids) - 1).bit_length()
    return [*ids, *[ids[-1]] * (size - len(ids))]
