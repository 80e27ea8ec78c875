"""The shop's migrations make what its storage expects, beside the monolith's tables, and nothing else."""

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, MetaData, inspect

from chassis.database import migrations
from chassis.database.own_tables import OwnTables
from chassis.outbox import tables as message_tables
from examples.monolith.storage import tables as monolith
from extracted.shop.storage import MIGRATIONS
from extracted.shop.storage.tables import ShopTables
from tests.unit.extracted.shop.selling import Selling


def differences(connection: Connection, expected: MetaData) -> list[object]:
    """Between what is there and what is expected, types included; the monolith's tables and Alembic's own aside."""
    ours = {(table.schema, table.name) for table in expected.tables.values()}

    def is_ours(_object: object, name: str | None, kind: str, *_: object) -> bool:
        schema = getattr(_object, "schema", None)
        return kind != "table" or (schema, name) in ours

    options = {"include_schemas": True, "include_object": is_ours, "compare_type": True}
    found: list[object] = compare_metadata(MigrationContext.configure(connection, opts=options), expected)
    return found


async def test_they_make_what_the_storage_expects(shop: Selling) -> None:
    own = OwnTables("shop", shop.database.is_sqlite)
    message_tables.define(own)
    ShopTables(own)
    async with shop.database.read() as connection:
        assert await connection.run_sync(differences, own.metadata) == []
    assert await migrations.head_missing(shop.database, "shop", MIGRATIONS) is None


async def test_the_monoliths_tables_are_as_before(shop: Selling) -> None:
    def names(connection: Connection) -> list[str]:
        return inspect(connection).get_table_names()

    async with shop.database.read() as connection:
        found = await connection.run_sync(names)
        assert await connection.run_sync(differences, monolith.metadata) == []
    own = {name for name in found if name.startswith("shop_")}
    assert set(found) - own == {table.name for table in monolith.metadata.sorted_tables}
