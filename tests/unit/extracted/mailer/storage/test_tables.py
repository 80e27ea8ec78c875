"""Mailer's migrations make what its storage expects."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData

from chassis.database import migrations
from chassis.database.own_tables import OwnTables
from chassis.outbox import tables as message_tables
from extracted.mailer.storage import MIGRATIONS
from extracted.mailer.storage.tables import define
from tests.unit.extracted.mailer.databases import Kept


def differences(connection: Connection, expected: MetaData) -> list[object]:
    ours = {(table.schema, table.name) for table in expected.tables.values()}

    def is_ours(found: object, name: str | None, kind: str, *_: object) -> bool:
        return kind != "table" or (getattr(found, "schema", None), name) in ours

    options = {"include_schemas": True, "include_object": is_ours, "compare_type": True}
    return list(compare_metadata(MigrationContext.configure(connection, opts=options), expected))


async def test_they_make_what_the_storage_expects(store: Kept) -> None:
    own = OwnTables("mailer", store.database.is_sqlite)
    message_tables.failed_messages(own)
    define(own)
    async with store.database.read() as connection:
        assert await connection.run_sync(differences, own.metadata) == []
    assert await migrations.head_missing(store.database, "mailer", MIGRATIONS) is None
