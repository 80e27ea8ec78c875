"""How a service with tables and queues of its own starts: its command line, its migrations, a look whether all fits."""

import argparse
import asyncio
import os
import signal
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog
from starlette.types import ASGIApp

from chassis.database import migrations
from chassis.database.database import Database
from chassis.messaging.open import open_broker
from chassis.messaging.port import Broker, MessagingError, TopologyDiffers
from chassis.messaging.topology import Topology
from chassis.service import web
from chassis.settings import SettingsInvalid
from chassis.store import StoreUnavailable

log = structlog.get_logger("chassis.service.starting")

DECLARE_WITHIN_S: Final = 5.0
DECLARE_AGAIN_S: Final = 5.0


def parser(service: str, port: int, description: str, environment: str) -> argparse.ArgumentParser:
    """Of `python -m extracted.SERVICE [serve|migrate] [--host H] [--port P]`. `port`: unless given."""
    made = argparse.ArgumentParser(
        prog=f"python -m extracted.{service}", description=description, epilog=f"Environment: {environment}"
    )
    made.add_argument(
        "command", nargs="?", choices=("serve", "migrate"), default="serve", help="migrate: make its own tables, end"
    )
    made.add_argument("--host", default="127.0.0.1")
    made.add_argument("--port", type=int, default=port, help="0 takes a free one")
    return made


def run(options: argparse.Namespace, migrate: Callable[[], int], serve: Callable[[str, int], int]) -> int:
    """What `parser` has read; the exit code, 2 for wrong settings, which are told."""
    try:
        return migrate() if options.command == "migrate" else serve(options.host, options.port)
    except SettingsInvalid as error:
        print(error, file=sys.stderr)
        return 2


def serve(app: ASGIApp, refusal: str | None, host: str, port: int, *, grace_s: int) -> int:
    """As `web.serve`; 1 where there is a reason not to, which is told."""
    if refusal is not None:
        print(refusal, file=sys.stderr)
        return 1
    return web.serve(app, host, port, grace_s=grace_s)


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


def expect_no_failure(task: asyncio.Task[None]) -> None:
    """For `add_done_callback` of what a service is nothing without, its relay: the process ends, to start anew."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("task_ended", task=task.get_name(), exc_info=error)
        os.kill(os.getpid(), signal.SIGTERM)
