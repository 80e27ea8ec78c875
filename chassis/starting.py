"""What a service with tables and queues of its own does before it serves: migrates them, or looks whether they fit."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from chassis import migrations
from chassis.database import Database
from chassis.messaging.open import open_broker
from chassis.messaging.port import Broker, MessagingError, TopologyDiffers
from chassis.messaging.topology import Topology
from chassis.store import StoreUnavailable

log = structlog.get_logger("chassis.starting")

DECLARE_WITHIN_S: Final = 5.0
DECLARE_AGAIN_S: Final = 5.0


def migrate(database_url: str, service: str, script_location: Path) -> int:
    """The command `migrate`: tells what it did; 0, or 1 where the database is away. Raises SettingsInvalid."""
    try:
        asyncio.run(migrations.upgrade(database_url, service, script_location))
    except StoreUnavailable as error:
        print(f"the database does not answer: {error}", file=sys.stderr)
        return 1
    print(f"the tables of {service} are as this version wants them")
    return 0


async def obstacle(
    database_url: str, broker_url: str, service: str, script_location: Path, queues: Topology
) -> str | None:
    """Why it cannot start: its tables or its queues are not as wanted. What is away is waited for later.

    Raises SettingsInvalid.
    """
    database, broker = Database(database_url, pool_size=1), open_broker(broker_url, service)
    try:
        with suppress(StoreUnavailable):
            if (behind := await migrations.head_missing(database, service, script_location)) is not None:
                return behind
        return await differing(broker, queues)
    finally:
        await database.aclose()
        await broker.aclose()


async def differing(broker: Broker, queues: Topology) -> str | None:
    """One sentence where a queue is not as wanted; a broker that is away is waited for later."""
    try:
        async with asyncio.timeout(DECLARE_WITHIN_S):
            await broker.declare(queues)
    except TopologyDiffers as error:
        return str(error)
    except (MessagingError, TimeoutError):
        return None
    return None


async def declare(broker: Broker, queues: Topology) -> None:
    """Returns when it has worked: the broker may be away for now."""
    while True:
        try:
            await broker.declare(queues)
        except MessagingError as error:
            log.error("queues_not_declared", reason=str(error))
            await asyncio.sleep(DECLARE_AGAIN_S)
        else:
            return
