"""Starts a service that has tables and queues: command line, migrations, a check that both are as expected."""

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
from chassis.service import server
from chassis.settings import SettingsInvalid
from chassis.store import StoreUnavailable

log = structlog.get_logger("chassis.service.startup")

DECLARE_WITHIN_S: Final = 5.0
DECLARE_AGAIN_S: Final = 5.0


def parser(service: str, port: int, description: str, environment: str) -> argparse.ArgumentParser:
    """The parser of `python -m extracted.SERVICE [serve|migrate] [--host H] [--port P]`. `port`: the default."""
    made = argparse.ArgumentParser(
        prog=f"python -m extracted.{service}", description=description, epilog=f"Environment: {environment}"
    )
    made.add_argument(
        "command",
        nargs="?",
        choices=("serve", "migrate"),
        default="serve",
        help="migrate: create or update the service's own tables, then exit",
    )
    made.add_argument("--host", default="127.0.0.1")
    made.add_argument("--port", type=int, default=port, help="0 means any free port")
    return made


def run(options: argparse.Namespace, migrate: Callable[[], int], serve: Callable[[str, int], int]) -> int:
    """Runs the command that `parser` has read. Returns the exit code: 2 for wrong settings, which it prints."""
    try:
        return migrate() if options.command == "migrate" else serve(options.host, options.port)
    except SettingsInvalid as error:
        print(error, file=sys.stderr)
        return 2


def serve(app: ASGIApp, refusal: str | None, host: str, port: int, *, service: str, grace_s: int) -> int:
    """As `server.serve`. Prints `refusal` and returns 1 if there is one."""
    if refusal is not None:
        print(refusal, file=sys.stderr)
        return 1
    return server.serve(app, host, port, service=service, grace_s=grace_s)


def migrate(database_url: str, service: str, script_location: Path) -> int:
    """Runs the command `migrate`. Returns 1 if the database is unavailable. Raises SettingsInvalid."""
    try:
        asyncio.run(migrations.upgrade(database_url, service, script_location))
    except StoreUnavailable as error:
        print(f"the database does not answer: {error}", file=sys.stderr)
        return 1
    print(f"the tables of {service} are up to date")
    return 0


async def obstacle(
    database_url: str, broker_url: str, service: str, script_location: Path, queues: Topology
) -> str | None:
    """Why the service cannot start: its tables or its queues differ from what it expects. None: it can.

    An unavailable database or broker is no obstacle: the service waits for it later. Raises SettingsInvalid.
    """
    if (missing := await behind(database_url, service, script_location)) is not None:
        return missing
    broker = open_broker(broker_url, service)
    try:
        return await differing(broker, queues)
    finally:
        await broker.aclose()


async def behind(database_url: str, service: str, script_location: Path) -> str | None:
    """One sentence if the service's tables are not migrated. None if they are, or if the database is unavailable."""
    database = Database(database_url, pool_size=1)
    try:
        with suppress(StoreUnavailable):
            return await migrations.head_missing(database, service, script_location)
        return None
    finally:
        await database.aclose()


async def differing(broker: Broker, queues: Topology) -> str | None:
    """One sentence if a queue differs. None if none does, or if the broker is unavailable."""
    try:
        async with asyncio.timeout(DECLARE_WITHIN_S):
            await broker.declare(queues)
    except TopologyDiffers as error:
        return str(error)
    except (MessagingError, TimeoutError):
        return None
    return None


async def declare(broker: Broker, queues: Topology) -> None:
    """Declares the queues; tries again until the broker is available."""
    while True:
        try:
            await broker.declare(queues)
        except MessagingError as error:
            log.error("queues_not_declared", reason=str(error))
            await asyncio.sleep(DECLARE_AGAIN_S)
        else:
            return


def expect_no_failure(task: asyncio.Task[None]) -> None:
    """For `add_done_callback` of a task that must never fail, as the relay: ends the process, so that it restarts."""
    if not task.cancelled() and (error := task.exception()) is not None:
        log.critical("task_ended", task=task.get_name(), exc_info=error)
        os.kill(os.getpid(), signal.SIGTERM)
