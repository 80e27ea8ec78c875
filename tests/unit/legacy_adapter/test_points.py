"""Balances, and what an audit asks."""

import uuid
from datetime import UTC, datetime

from sqlalchemy import Text, literal, select

from chassis.database.database import Database
from legacy_adapter.account.points import LegacyPoints
from legacy_adapter.account.sold_rows import LegacySoldRows
from tests.support.monolith.monolith_file import MonolithData

NOBODY = str(uuid.uuid4())


async def test_a_balance_is_debited_where_it_suffices_and_credited(file: MonolithData, database: Database) -> None:
    points, (user, other, poor) = LegacyPoints(), (file.add_user(points=has) for has in (5, 7, 7))
    async with database.write() as connection:
        assert await points.debit(connection, {user: 6, NOBODY: 0}) == {}
        assert await points.debit(connection, {user: 2**31}) == {}
        assert await points.debit(connection, {user: 5, other: 7, poor: 8}) == {user: 0, other: 0}
        assert await points.debit(connection, {user: 0}) == {user: 0}
        assert await points.credit(connection, user, 3) == 3
        assert await points.credit(connection, NOBODY, 3) is None
        assert [await points.points(connection, one) for one in (user, NOBODY)] == [3, None]


async def test_rows_are_told_live_or_removed_ones_own_or_anothers(file: MonolithData, database: Database) -> None:
    rows, buyer, sold = LegacySoldRows(), file.add_user(), str(uuid.uuid4())
    live = file.add_purchase(buyer, sold)
    removed = file.add_purchase(buyer, sold, deleted_at=datetime.now(UTC))
    ours, theirs, none, user, nobody, item = (
        literal(id, Text) for id in (live, removed, str(uuid.uuid4()), buyer, NOBODY, sold)
    )
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
        assert [await connection.scalar(select(condition)) for condition in asked] == list(asked.values())
