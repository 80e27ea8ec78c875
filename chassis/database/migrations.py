"""Migrations of a service's own tables with Alembic. They never touch the monolith's tables.

A revision file calls `own_tables()`, defines tables on it, and calls `create(tables)`.
"""

import asyncio
import hashlib
import threading
from pathlib import Path
from typing import Any

from alembic import command, context, op
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, inspect, text
from sqlalchemy.schema import CreateSchema

from chassis.database.database import Database
from chassis.database.own_tables import OwnTables

_TIMEOUT_S = 60.0
"""How long a migration waits for another one."""
_ONE_AT_A_TIME = threading.Lock()
"""Alembic's `context` and `op`, which revision files use, are global to a process."""


async def upgrade(database_url: str, service: str, script_location: Path) -> None:
    """Upgrades the service's tables to the newest revision in the folder; one transaction, one process at a time.

    Does nothing where they are there, or further. Raises StoreUnavailable, SettingsInvalid.
    """
    await asyncio.to_thread(_upgrade_alone, database_url, service, script_location)


async def head_missing(database: Database, service: str, script_location: Path) -> str | None:
    """None: the tables are at this code's revision or newer. Otherwise a sentence that says what to do.

    Raises StoreUnavailable.
    """
    async with database.read() as connection:
        at = await connection.run_sync(_revision, service)
    scripts = ScriptDirectory.from_config(_config(script_location))
    head = scripts.get_current_head()
    if at == head or (at is not None and not _is_known(scripts, at)):
        return None
    command_line = f"python -m extracted.{service} migrate"
    return f"the tables of {service} are at {at or 'no revision'}, wanted {head}: run `{command_line}`"


def own_tables() -> OwnTables:
    """Within a migration: the tables of its service, none defined yet."""
    service = str(context.config.attributes["service"])
    return OwnTables(service, op.get_bind().dialect.name == "sqlite")


def create(tables: OwnTables) -> None:
    """Within a migration: creates all tables that were defined."""
    tables.metadata.create_all(op.get_bind(), checkfirst=False)


def run() -> None:
    """Called by Alembic's env.py only."""
    attributes = context.config.attributes
    context.configure(connection=attributes["connection"], **_versions(attributes["connection"], attributes["service"]))
    context.run_migrations()


def _upgrade_alone(database_url: str, service: str, script_location: Path) -> None:
    with _ONE_AT_A_TIME:
        asyncio.run(_upgrade_database(database_url, service, script_location))


async def _upgrade_database(database_url: str, service: str, script_location: Path) -> None:
    database = Database(database_url, pool_size=1, timeout_s=_TIMEOUT_S)
    try:
        async with database.write() as connection:
            await connection.run_sync(_upgrade, service, script_location)
    finally:
        await database.aclose()


def _upgrade(connection: Connection, service: str, script_location: Path) -> None:
    _alone(connection, service)
    config = _config(script_location)
    at = _revision(connection, service)
    if at is not None and not _is_known(ScriptDirectory.from_config(config), at):
        return
    config.attributes.update(connection=connection, service=service)
    command.upgrade(config, "head")


def _alone(connection: Connection, service: str) -> None:
    """SQLite holds its write lock already. It checks for the schema first: creating one needs a permission."""
    if connection.dialect.name == "sqlite":
        return
    number = int.from_bytes(hashlib.sha256(f"migrate {service}".encode()).digest()[:8], signed=True)
    connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})
    if not inspect(connection).has_schema(service):
        connection.execute(CreateSchema(service))


def _revision(connection: Connection, service: str) -> str | None:
    return MigrationContext.configure(connection, opts=_versions(connection, service)).get_current_revision()


def _is_known(scripts: ScriptDirectory, revision: str) -> bool:
    try:
        return scripts.get_revision(revision) is not None
    except CommandError:
        return False


def _versions(connection: Connection, service: str) -> dict[str, Any]:
    tables = OwnTables(service, connection.dialect.name == "sqlite")
    return {"version_table": tables.name("alembic_version"), "version_table_schema": tables.schema}


def _config(script_location: Path) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "alembic_env"))
    config.set_main_option("version_locations", str(script_location))
    config.set_main_option("path_separator", "newline")
    return config
