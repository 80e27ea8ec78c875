"""The tables that the second migration makes are those that the code works on."""

from extracted.account.sign_in.storage.moved_users import define
from tests.unit.extracted.account.purchases.test_tables import described
from tests.unit.extracted.account.sessions.world import SessionWorld


async def test_the_migrations_make_the_tables_that_the_code_works_on(world: SessionWorld) -> None:
    own = world.tables.own
    for table in (world.tables.sessions, world.tables.credentials, define(own)):
        async with world.database.read() as connection:
            made = await connection.run_sync(described, table.name, own.schema)
        dialect = world.database.engine.dialect
        assert made["columns"] == {one.name: (one.type.compile(dialect), one.nullable) for one in table.columns}
        wanted = {one.name: ([column.name for column in one.columns], bool(one.unique)) for one in table.indexes}
        assert made["indexes"] == wanted
        assert made["key"] == [column.name for column in table.primary_key]
