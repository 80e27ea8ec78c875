"""The tables that the migrations make are those that the code works on."""

from typing import Any

from sqlalchemy import Connection, inspect

from tests.unit.extracted.account.purchases.world import World


def described(connection: Connection, name: str, schema: str | None) -> dict[str, Any]:
    looked = inspect(connection)
    columns = {
        one["name"]: (one["type"].compile(connection.dialect), one["nullable"])
        for one in looked.get_columns(name, schema)
    }
    indexes = {one["name"]: (one["column_names"], bool(one["unique"])) for one in looked.get_indexes(name, schema)}
    key = looked.get_pk_constraint(name, schema)["constrained_columns"]
    return {"columns": columns, "indexes": indexes, "key": key}


async def test_the_migrations_make_the_tables_that_the_code_works_on(world: World) -> None:
    own = world.tables.own
    for table in (world.tables.purchases, world.tables.requests, world.tables.ledger, world.tables.interventions):
        async with world.database.read() as connection:
            made = await connection.run_sync(described, table.name, own.schema)
        dialect = world.database.engine.dialect
        assert made["columns"] == {one.name: (one.type.compile(dialect), one.nullable) for one in table.columns}
        wanted = {one.name: ([column.name for column in one.columns], bool(one.unique)) for one in table.indexes}
        assert made["indexes"] == wanted
        assert made["key"] == [column.name for column in table.primary_key]
