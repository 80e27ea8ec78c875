"""Balances, and what an audit asks, on the tables that the real monolith creates."""

import uuid
from collections.abc import AsyncIterator
from pathlib import Path

import psycopg
import pytest
from sqlalchemy import Text, literal, select

from chassis.database.database import Database
from legacy_adapter.account.points import LegacyPoints
from legacy_adapter.account.sold_rows import LegacySoldRows
from tests.support.connected import fresh_postgres

SCHEMA = Path(__file__).parents[2] / "recordings" / "schema.sql"
USER, NOBODY, ITEM, OURS, THEIRS = (str(uuid.uuid4()) for _ in range(5))

pytestmark = pytest.mark.connected


@pytest.fixture
async def database() -> AsyncIterator[Database]:
    url = fresh_postgres()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(SCHEMA.read_bytes())
        connection.execute("SET search_path = public")
        user = 'INSERT INTO "user" (id, username, points, created_at, updated_at) VALUES (%s, %s, 5, now(), now())'
        connection.execute(user, (USER, "Ada"))
        row = 'INSERT INTO transactions (id, user_id, "Object_id", created_at, updated_at, deleted_at)'
        connection.execute(f"{row} VALUES (%s, %s, %s, now(), now(), NULL)".encode(), (OURS, USER, ITEM))
        connection.execute(f"{row} VALUES (%s, %s, %s, now(), now(), now())".encode(), (THEIRS, USER, ITEM))
    database = Database(url)
    yield database
    await database.aclose()


async def test_a_balance_is_debited_where_it_suffices_and_credited(database: Database) -> None:
    points = LegacyPoints()
    async with database.write() as connection:
        assert await points.debit(connection, USER, 6) is None
        assert await points.debit(connection, USER, 2**31) is None
        assert await points.debit(connection, USER, 5) == 0
        assert await points.debit(connection, USER, 0) == 0
        assert await points.debit(connection, NOBODY, 0) is None
        assert await points.credit(connection, USER, 3) == 3
        assert await points.credit(connection, NOBODY, 3) is None
        assert [await points.points(connection, user) for user in (USER, NOBODY)] == [3, None]


async def test_rows_are_told_live_or_removed_ones_own_or_anothers(database: Database) -> None:
    rows, unknown = LegacySoldRows(), str(uuid.uuid4())
    ours, theirs, none, user, nobody, item = (literal(id, Text) for id in (OURS, THEIRS, unknown, USER, NOBODY, ITEM))
    asked = {
        rows.has_row(theirs): True,
        rows.has_row(none): False,
        rows.has_live_row(ours): True,
        rows.has_live_row(theirs): False,
        rows.has_user(user): True,
        rows.has_user(nobody): False,
        rows.is_bought_otherwise(none, user, item): True,
        rows.is_bought_otherwise(ours, user, item): False,
    }
    async with database.read() as connection:
        answers = [await connection.scalar(select(condition)) for condition in asked]
    assert answers == list(asked.values())
