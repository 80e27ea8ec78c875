"""A process of its own with a relay, for tests that kill it: `python -m …relaying DATABASE BROKER COUNT`.

It puts COUNT messages, one transaction each, and runs until it is told to end (SIGTERM).
"""

import asyncio
import signal
import sys
from datetime import UTC, datetime

from chassis.database.database import Database
from chassis.database.own_tables import OwnTables
from chassis.messaging.open import open_broker
from chassis.outbox.destination_worker import RelayPace
from chassis.outbox.outbox import Outbox
from chassis.outbox.relay import OutboxRelay
from tests.ports.outbox.service import SERVICE, message

PACE = RelayPace(lease_s=2, publish_timeout_s=1)


async def main(database_url: str, broker_url: str, count: int) -> None:
    database, broker = Database(database_url, timeout_s=30), open_broker(broker_url, "relaying")
    outbox = Outbox(OwnTables(SERVICE, database.is_sqlite), lambda: datetime.now(UTC))
    relay = OutboxRelay(database, outbox, broker, PACE)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, relay.stop)
    running = asyncio.create_task(relay.run())
    for _ in range(count):
        async with database.write() as connection:
            await outbox.put(connection, "purchases.commands", message())
        outbox.wake()
    await running
    await broker.aclose()
    await database.aclose()


asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
