"""The shop's own tables; `migrations/` makes them."""

from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Column, String, Table
from sqlalchemy.dialects import postgresql
from sqlalchemy.types import TypeEngine

from chassis.database.own_tables import Instant, OwnTables


class ShopTables:
    """The tables in the schema (or under the prefix) of `own`. Make one object a process.

    decisions: one row for each purchase, kept for ever. stock: one row for each item that ever had a quantity, kept
    when the item is removed; `available` NULL: unlimited again; `restocked` is net, so it may be negative.
    """

    def __init__(self, own: OwnTables) -> None:
        self.own = own
        self.decisions: Table = own.table(
            "decisions",
            Column("purchase_id", uuid_text(), primary_key=True),
            Column("user_id", uuid_text(), nullable=False),
            Column("item_id", uuid_text(), nullable=False),
            Column("outcome", String(16), nullable=False),
            Column("reason", String(32)),
            Column("decided_at", Instant, nullable=False),
            CheckConstraint("outcome IN ('decreased', 'refused', 'cancelled')", name="decisions_outcome"),
            CheckConstraint("(outcome = 'refused') = (reason IS NOT NULL)", name="decisions_reason"),
        )
        self.stock: Table = own.table(
            "stock",
            Column("item_id", uuid_text(), primary_key=True),
            Column("initial", BigInteger, nullable=False),
            Column("restocked", BigInteger, nullable=False, server_default="0"),
            Column("sold", BigInteger, nullable=False, server_default="0"),
            Column("available", BigInteger),
            Column("changed_at", Instant, nullable=False),
            CheckConstraint("available >= 0", name="stock_available"),
            CheckConstraint("sold >= 0", name="stock_sold"),
            CheckConstraint("initial + restocked = available + sold", name="stock_balance"),
        )


def uuid_text() -> TypeEngine[Any]:
    """A UUID: 36 characters in Python, the type uuid on PostgreSQL."""
    return String(36).with_variant(postgresql.UUID(as_uuid=False), "postgresql")
