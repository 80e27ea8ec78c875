"""A service as the tests have it, with a clock that they set."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.messaging.envelope import Envelope, new_id
from chassis.outbox.failed_messages.table import FailedMessages
from chassis.outbox.inbox import Inbox
from chassis.outbox.outbox import Outbox

SERVICE = "account"
REVISIONS = Path(__file__).parent / "revisions"
START = datetime(2026, 3, 1, 12, tzinfo=UTC)


class Clock:
    """Stands still until it is moved."""

    def __init__(self) -> None:
        self.now = START

    def __call__(self) -> datetime:
        return self.now

    def move(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Service:
    """Its own tables, beside those of somebody else."""

    def __init__(self, database: Database, tables: OwnTables, clock: Clock) -> None:
        self.database = database
        self.clock = clock
        self.outbox = Outbox(tables, clock)
        self.inbox = Inbox(tables, clock)
        self.failed_messages = FailedMessages(tables, clock)

    async def put(self, *envelopes: Envelope, exchange: str = "purchases.commands") -> None:
        """In one transaction; a moment later each, and the relay is told."""
        async with self.database.write() as connection:
            for envelope in envelopes:
                await self.outbox.put(connection, exchange, envelope)
                self.clock.move(0.001)
        self.outbox.wake()


def message(type: str = "shop.decrease_quantity.v1", **body: object) -> Envelope:
    """One that nobody else has."""
    return Envelope(new_id(), type, body, START, subject="user-1", request_id="purchase-1", traceparent="00-1-2-00")
